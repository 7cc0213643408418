package hawkeye

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Health says whether an instance does its work.
type Health struct {
	// OK is whether there are no problems.
	OK bool
	// Problems are sentences for people.
	Problems []string
	// Details are the same problems in the same order, for programs.
	Details []Problem
	// Evaluates says that this process evaluates for its fleet.
	Evaluates bool
	// Store is the kind of Store, "memory" or "redis".
	Store string
}

// Problem is one that [Hawkeye.Health] has found.
type Problem struct {
	// Code is the kind of the problem.
	Code ProblemCode `json:"code"`
	// Subject is what it is about, where there may be several problems of the
	// kind: a component, a receiver, the path of a socket.
	Subject string `json:"subject,omitempty"`
	// Text is a sentence for people.
	Text string `json:"text"`
}

// ProblemCode is a kind of problem, in words with underscores: "not_running",
// "store_unreachable". docs/health.md lists all with what they mean and what to
// do. A code stays what it is; new ones may be added.
type ProblemCode string

// The kinds of problems. Each has a line in docs/health.md.
const (
	problemNotRunning           ProblemCode = "not_running"
	problemSocketGone           ProblemCode = "socket_gone"
	problemStoreUnreachable     ProblemCode = "store_unreachable"
	problemStoreSilent          ProblemCode = "store_silent"
	problemTicksDropped         ProblemCode = "ticks_dropped"
	problemStateFile            ProblemCode = "state_file_unwritable"
	problemSentUnsaved          ProblemCode = "sent_unsaved"
	problemTickDiffers          ProblemCode = "tick_differs"
	problemOtherService         ProblemCode = "other_service"
	problemClockBehind          ProblemCode = "clock_behind_ledger"
	problemHeadUnreadable       ProblemCode = "ledger_unreadable"
	problemLedgerLost           ProblemCode = "ledger_lost"
	problemLedgerNotOpen        ProblemCode = "ledger_not_open"
	problemNothingEvaluated     ProblemCode = "nothing_evaluated"
	problemEvaluationBehind     ProblemCode = "evaluation_behind"
	problemNobodySends          ProblemCode = "nobody_sends"
	problemOtherConfiguration   ProblemCode = "other_configuration"
	problemNewerVersion         ProblemCode = "newer_version"
	problemConfigurationRefused ProblemCode = "configuration_refused"
	problemReceiverHangs        ProblemCode = "receiver_hangs"
	problemReceiverFailing      ProblemCode = "receiver_failing"
	problemNobodyNotified       ProblemCode = "nobody_notified"
	problemComponentRestarted   ProblemCode = "component_restarted"
	problemComponentStalled     ProblemCode = "component_stalled"
	problemStoreHangs           ProblemCode = "store_hangs"
	problemLogHangs             ProblemCode = "log_hangs"
)

// healthMemory is how long a mishap that is over is a problem.
const healthMemory = 10 * time.Minute

// problems are those that are being collected.
type problems []Problem

// add adds one. The subject is empty for kinds of which there is only one.
func (p *problems) add(code ProblemCode, subject, format string, args ...any) {
	*p = append(*p, Problem{Code: code, Subject: subject, Text: fmt.Sprintf(format, args...)})
}

// Health looks for what is wrong: not running, no socket, a store that is away
// or doesn't answer, a state file that can't be written, or what went out
// before it was, in the last ten minutes, a ledger that can't be opened, one of
// another service or with another tick, a fleet in which nobody
// evaluates or sends, another configuration that has been in force for more
// than ten minutes, an evaluation that lags, a receiver that hangs, messages
// that failed for good in the last hour and to whose receiver none was
// delivered since, samples that were dropped or parts that stand still, or failed and were
// started again in the last ten minutes. docs/health.md has all of it, by the
// codes of the problems. It does no I/O.
func (h *Hawkeye) Health() Health {
	if h == nil {
		return Health{OK: true}
	}
	var found problems
	h.storeProblems(&found)
	h.keepProblems(&found)
	h.standingProblems(&found)
	h.lowerProblem(&found)
	h.receiverProblems(&found)
	h.untoldProblems(&found)
	h.partProblems(&found)
	h.stallProblems(&found)
	slices.SortFunc(found, func(a, b Problem) int { return cmp.Compare(a.Text, b.Text) })
	out := Health{OK: len(found) == 0, Details: found, Store: h.store.Traits().Name, Evaluates: h.agent.Evaluates()}
	for _, p := range found {
		out.Problems = append(out.Problems, p.Text)
	}
	return out
}
