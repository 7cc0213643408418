package notify

import (
	"slices"
	"testing"
	"time"
)

// Attempts that ended about the same time are settled in one plan: what each
// receiver knows of the alert, one that came twice, and one whose claim
// somebody else took over.
func TestSettleAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "a"}, &Receiver{Name: "b"}, &Receiver{Name: "c"}))
	var sent []Message
	w.takes = func(string) time.Duration { return time.Hour }
	w.watch = func(m *Message) { sent = append(sent, *m) }
	w.pushes(0, 9, "x")
	w.run(1)
	if len(sent) != 3 {
		t.Fatalf("%d messages, want one for each receiver", len(sent))
	}
	slices.SortFunc(sent, func(x, y Message) int { return int(x.Receiver[0]) - int(y.Receiver[0]) })
	v := w.view()
	for i, r := range v.Rows {
		if r.Receiver == "c" {
			v.Rows[i] = r.clone()
			v.Rows[i].Claim.Writer = "somebody else"
		}
	}
	plan := SettleAll(v, []Attempt{
		{Message: &sent[0]},
		{Message: &sent[1], Result: Result{Kind: Temporary, Error: "busy"}},
		{Message: &sent[0]},
		{Message: &sent[2]},
	}, w.now)
	outcomes := make(map[string]Outcome)
	for _, r := range plan.Rows {
		outcomes[r.Receiver] = r.Outcome
		if r.Claim != nil || r.Attempts != 1 {
			t.Errorf("the row for %s has %d attempts and the claim %v, want 1 and none", r.Receiver, r.Attempts, r.Claim)
		}
	}
	if len(plan.Rows) != 2 || outcomes["a"] != Sent || outcomes["b"] != "" {
		t.Errorf("outcomes of %d rows are %v, want a's sent and b's to be tried again", len(plan.Rows), outcomes)
	}
	if len(plan.Threads) != 1 || plan.Threads[0].Receiver != "a" || !plan.Threads[0].Told {
		t.Errorf("threads %v, want that a was told", plan.Threads)
	}
	for _, m := range []Message{sent[0], sent[2]} {
		if !slices.Contains(plan.Sent, m.ID) {
			t.Errorf("%s isn't noted as sent", m.ID)
		}
	}
}
