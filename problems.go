package hawkeye

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// deployLength is how long another configuration may decide before that is a
// problem: a deploy should be over by then.
const deployLength = 10 * time.Minute

const (
	// deadMemory is how long a message that failed for good is a problem of
	// Health, unless its receiver got another one since.
	deadMemory = time.Hour
	// maxUntold is how many alerts that nobody could be told of Health names.
	maxUntold = 5
)

// storeProblems says what is wrong between this process and the Store.
func (h *Hawkeye) storeProblems(found *problems) {
	pub, silent := h.publisher.Stats(), time.Duration(0)
	if !pub.LastSuccess.IsZero() {
		silent = time.Since(pub.LastSuccess)
	}
	// A flush ends within the time that it is given, unless the Store ignores that.
	limit := 10*h.store.Traits().Tick + 10*time.Second
	switch {
	case pub.LastError != nil:
		found.add(problemStoreUnreachable, "", "the store is away: %v", pub.LastError)
	case h.running() && silent > limit:
		found.add(problemStoreSilent, "", "the store hasn't answered for %v: what is counted waits", silent.Round(time.Second))
	}
	if pub.DroppedTicks > 0 && time.Since(pub.LastDrop) < healthMemory {
		found.add(problemTicksDropped, "", "ticks were dropped while the store was away, %d so far", pub.DroppedTicks)
	}
	if n := h.book.CountKept(); n > 0 {
		found.add(problemNewerVersion, "", "%d alerts are kept by a newer version of hawkeye, and not judged by this one", n)
	}
}

// receiverProblems says who isn't told what they should be.
func (h *Hawkeye) receiverProblems(found *problems) {
	for receiver, n := range h.notifier.Stuck() {
		found.add(problemReceiverHangs, receiver, "%d messages to %s are held up by a receiver that ignores its deadline", n, receiver)
	}
	for receiver, dead := range h.undelivered() {
		found.add(problemReceiverFailing, receiver, "%d messages to %s could not be delivered, the last one because of: %s",
			dead.n, receiver, dead.reason)
	}
}

// partProblems says what is wrong with the parts of this process.
func (h *Hawkeye) partProblems(found *problems) {
	if !h.running() {
		found.add(problemNotRunning, "", "not running")
	}
	for path, err := range h.server.stats().Unbound {
		found.add(problemSocketGone, path, "nobody can send at the socket %s, which can't be bound: %v", path, err)
	}
	if err := h.reloader.problem(); err != nil {
		found.add(problemConfigurationRefused, "", "the configuration that is in force is not that of its files: %v", err)
	}
	for name, r := range h.sup.Restarted() {
		if time.Since(r.Last) < healthMemory {
			found.add(problemComponentRestarted, name, "the %s failed and was started again, %d times so far", name, r.N)
		}
	}
}

// deadLetters are those of a receiver: how many, and why the last one is.
type deadLetters struct {
	n      int
	reason string
}

// undelivered returns the dead letters that say something of how their
// receivers are now: the others are old, or one of the messages after them
// was delivered. They don't go away by being looked at, and needn't be
// acknowledged.
func (h *Hawkeye) undelivered() map[string]deadLetters {
	out := make(map[string]deadLetters)
	dead := h.book.Dead()
	if len(dead) == 0 {
		return out
	}
	delivered := make(map[string]time.Time)
	for key, t := range h.book.View().Threads {
		if t.ToldAt.After(delivered[key.Receiver]) {
			delivered[key.Receiver] = t.ToldAt
		}
	}
	now := h.clock.Now()
	for _, row := range dead { // oldest first
		// A message for some recipients doesn't say that the others are well.
		over := len(row.Recipients) == 0 && delivered[row.Receiver].After(row.Settled)
		if !over && now.Sub(row.Settled) < deadMemory {
			out[row.Receiver] = deadLetters{out[row.Receiver].n + 1, row.Reason}
		}
	}
	return out
}

// storeSays is what the Store says itself is wrong with it.
func (h *Hawkeye) storeSays() error {
	if s, ok := h.store.(*guard.Store); ok {
		return s.Problem()
	}
	if r, ok := h.store.(store.Reporter); ok { // our own
		return r.Problem()
	}
	return nil
}

// keepProblems says what is wrong with what the Store keeps: as it says itself,
// or as its calls do, and what went out in spite of that.
func (h *Hawkeye) keepProblems(found *problems) {
	err := h.storeSays()
	if err == nil && h.keeper != nil {
		err = h.keeper.Problem()
	}
	if err != nil {
		found.add(problemStateFile, "", "what is decided isn't written down, and would be forgotten by a restart: %v", err)
	}
	if n, last, reason := h.keeper.Stats(); n > 0 && time.Since(last) < healthMemory {
		found.add(problemSentUnsaved, "", "%d messages and answers went out before what they are about was written down, the last one because of: %v", n, reason)
	}
}

// refusalCodes are the kinds of problems that refusals are.
var refusalCodes = map[ledger.RefusalKind]ProblemCode{
	ledger.TickDiffers: problemTickDiffers, ledger.OtherService: problemOtherService, ledger.ClockBehind: problemClockBehind,
}

// standingProblems says what is wrong with how the head stands, and with the roles
// that live replicas have.
func (h *Hawkeye) standingProblems(found *problems) {
	var refused *ledger.Refusal
	_, _, ok, err := h.mirror.Head()
	switch {
	case errors.As(err, &refused):
		found.add(refusalCodes[refused.Kind], "", "%v", err)
	case err != nil:
		found.add(problemHeadUnreadable, "", "evaluation is left to others: %v", err)
	}
	limit := 10*h.store.Traits().Tick + 2*time.Second // longer than a lease
	s := h.follower.Standing()
	shared, still := h.store.Traits().Shared && !s.Began.IsZero(), time.Since(s.Since)
	lag := h.agent.Lag()
	switch {
	case err != nil || still <= limit && lag <= limit:
	case shared && !h.mirror.Open() && still > limit && h.publisher.Stats().LastError == nil:
		found.add(problemLedgerNotOpen, "", "the ledger couldn't be opened for %v, so nothing is evaluated: %v", still.Round(time.Second), cmp.Or(s.Unread, error(ledger.ErrNotOpen)))
	case shared && !ok && h.mirror.Open():
		found.add(problemNothingEvaluated, "", "nobody evaluates, nor has since this process began %v ago", still.Round(time.Second))
	case shared && ok && still > limit && !h.agent.Evaluates() && h.publisher.Stats().LastError == nil:
		found.add(problemNothingEvaluated, "", "nobody evaluates: the ledger's head has stood still for %v", still.Round(time.Second))
	case lag > limit:
		found.add(problemEvaluationBehind, "", "evaluation is %v behind", lag.Round(time.Second))
	}
	if n := h.unsent(limit); shared && err == nil && n > 0 {
		found.add(problemNobodySends, "", "nobody sends: %d messages wait, and no live replica has a notifier", n)
	}
	if lost := time.Since(s.Superseded); shared && s.Config != "" && lost > deployLength && !h.cfg.records() {
		found.add(problemOtherConfiguration, "", "for %v another configuration has been in force, %s, and not this one, %s: a deploy should be over by now",
			lost.Round(time.Second), s.Config, h.setup().Set.Hash)
	}
}

// unsent returns how many messages have been due for longer than limit, if
// nobody is there to send them.
func (h *Hawkeye) unsent(limit time.Duration) (n int) {
	fleet, ok := h.book.Fleet()
	if !ok || !h.cfg.noNotifier {
		return 0
	}
	for _, m := range fleet.Writers {
		if m.Notifier && m.Left == 0 && h.owner.Same(m) {
			return 0
		}
	}
	now := h.clock.Now()
	for _, row := range h.book.Rows() {
		if row.Held == "" && now.Sub(row.Created) > limit && now.Sub(row.NextAttempt) > limit {
			n++
		}
	}
	return n
}

// lowerProblem says that the ledger was opened anew with less than this process
// knew, for a while.
func (h *Hawkeye) lowerProblem(found *problems) {
	lower := h.mirror.Lower()
	switch {
	case lower.At.IsZero() || time.Since(lower.At) > healthMemory:
	case h.follower.HandedBack():
		found.add(problemLedgerLost, "", "the store lost the ledger, and it was opened without what this process knew of it (revision %d, not %d), which was put back", lower.Is, lower.Was)
	default:
		found.add(problemLedgerLost, "", "the store lost the ledger, and it was opened with less than this process knew of it (revision %d, not %d): what was decided in between may be decided again", lower.Is, lower.Was)
	}
}

// untoldProblems names the alerts that nobody could be told of: as long as
// they fire and nobody was told since, and else for a while.
func (h *Hawkeye) untoldProblems(found *problems) {
	var names, alerts []string
	view := h.book.View()
	now := h.clock.Now()
	for _, row := range slices.Backward(h.book.Dead()) {
		a := view.Alerts[row.Alert]
		open := a != nil && a.Incident == row.Incident
		if !row.Untold || !open && now.Sub(row.Settled) >= deadMemory || toldSince(view, row) {
			continue
		}
		name := untoldName(row)
		if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, name) }) {
			alerts = append(alerts, row.Alert)
			names = append(names, fmt.Sprintf("%s (to %s): %s", name, strings.Join(row.MeantFor(), ", "), row.Reason))
		}
	}
	for i, name := range names[:min(len(names), maxUntold)] {
		found.add(problemNobodyNotified, alerts[i], "nobody could be told of %s", name)
	}
	if more := len(names) - maxUntold; more > 0 {
		found.add(problemNobodyNotified, "", "nobody could be told of %d more alerts", more)
	}
}

// untoldName is what a dead letter is about.
func untoldName(row *notify.Row) string {
	switch {
	case row.Alert != "":
		return strings.TrimSpace(row.Alert + " " + row.Snapshot.Level)
	case row.Undelivered != nil:
		return string(row.Undelivered.Kind)
	}
	return string(row.Kind)
}

// toldSince says whether one of those whom a dead letter was for was told
// something of its alert since.
func toldSince(view *notify.View, row *notify.Row) bool {
	return slices.ContainsFunc(row.MeantFor(), func(receiver string) bool {
		t := view.Threads[notify.ThreadKey{Alert: row.Alert, Receiver: receiver}]
		return t != nil && t.ToldAt.After(row.Settled)
	})
}

// stallProblems says what stands, and what it may be held up by.
func (h *Hawkeye) stallProblems(found *problems) {
	for name, quiet := range h.sup.Stalled() {
		found.add(problemComponentStalled, name, "the %s has stood still for %v: what it does waits", name, quiet.Round(time.Second))
	}
	if s, ok := h.store.(*guard.Store); ok && s.Left() > 0 {
		found.add(problemStoreHangs, "", "%d calls of the store have ignored their deadline, and haven't come back", s.Left())
	}
	if hangs, lost := guard.LogHangs(h.logger); hangs {
		found.add(problemLogHangs, "", "the log's handler hangs, and %d records were lost", lost)
	}
}
