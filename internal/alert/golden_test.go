package alert

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestStateFormat keeps the states of old ledgers readable. A change of the
// format gets a new version and a new file; this one stays.
func TestStateFormat(t *testing.T) {
	t.Parallel()
	tr := track{rule: &Rule{
		Levels: two(0, time.Minute), KeepFiringFor: time.Minute, Flap: DefaultFlap,
	}}
	var states []State
	for i, in := range []Input{v(1), v(25), missing, v(1), failed, gap(1, 30*time.Second), v(11)} {
		tr.step(time.Duration(i)*40*time.Second, in)
		states = append(states, tr.state)
	}
	got, err := json.MarshalIndent(states, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/state_v1.json"
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(want), got) {
		t.Errorf("states are written as\n%s\nwant\n%s", got, want)
	}
	var back []State
	if err := json.Unmarshal(want, &back); err != nil {
		t.Fatal(err)
	}
	for i := range back {
		if !back[i].Equal(&states[i]) {
			t.Errorf("state %d is read as %+v, want %+v", i, back[i], states[i])
		}
	}
}

// FuzzStep sees that no state out of a ledger, however damaged, makes a step
// panic, and that what fires has an incident and a level of the rule.
func FuzzStep(f *testing.F) {
	golden, err := os.ReadFile("testdata/state_v1.json")
	if err != nil {
		f.Fatal(err)
	}
	var seeds []json.RawMessage
	if err := json.Unmarshal(golden, &seeds); err != nil {
		f.Fatal(err)
	}
	for i, seed := range seeds {
		f.Add([]byte(seed), float64(5*i), byte(i), byte(i))
	}
	f.Add([]byte(`{"phase":"firing","rank":-7,"level":"gone"}`), 30.0, byte(0), byte(0))
	f.Add([]byte(`{"phase":"error","flap":{"on":true}}`), 30.0, byte(0), byte(3))
	policies := []Policy{Keep, OK, Alert, NoDataState, Zero}
	f.Fuzz(func(t *testing.T, data []byte, value float64, status, flags byte) {
		var s State
		if json.Unmarshal(data, &s) != nil {
			return
		}
		policy := policies[int(flags>>3)%len(policies)]
		rule := &Rule{Levels: two(0, time.Minute), Flap: DefaultFlap, NoData: policy, Idle: policy, MustExist: flags&64 != 0}
		in := Input{Value: value, Status: Status(status % 5), Few: status&8 != 0, Gone: status&16 != 0, Filling: status&32 != 0, Late: flags&1 != 0, Incomplete: flags&2 != 0, LowerBound: flags&4 != 0}
		id := func() string { return "new" }
		next, _ := Step(rule, s, in, epoch, id)
		next, _ = Step(rule, next, v(25), epoch.Add(time.Hour), id)
		if next.Phase != Firing || rule.rank(next.Level, 0) == 0 {
			t.Errorf("a breach of all levels leaves %+v", next)
		}
		End(next, ReasonRemoved, epoch.Add(2*time.Hour))
	})
}
