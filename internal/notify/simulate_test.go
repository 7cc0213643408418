package notify

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// simulation is hours of random alert life: breaches, outages of receivers,
// outcomes that are unknown, notifiers that die, silences, acks.
type simulation struct {
	*world
	t        *testing.T
	seed     uint64
	rng      *rand.Rand
	horizon  float64 // seconds, after which everything is well
	outages  map[string][][2]float64
	incident map[string]*simIncident
}

type simIncident struct {
	alert     string
	receivers []string // of the level at which it fired
	fired     time.Time
}

var simSeeds = flag.Uint64("seeds", 10, "random simulations of each kind")

func TestSimulation(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]func() *Config{
		"levels": levels,
		"grouped": func() *Config {
			cfg := levels()
			cfg.Receivers["chat"].Group = Group{By: []string{"monitor"}, Wait: 5 * time.Second, Interval: time.Minute}
			cfg.Receivers["team"].Group = Group{By: []string{"monitor"}, Interval: 20 * time.Second}
			return cfg
		},
		"shared": func() *Config {
			cfg := levels()
			for i := range cfg.Monitors["m"].Levels {
				cfg.Monitors["m"].Levels[i].Receivers = []string{"chat", "team"}
				cfg.Monitors["m"].Levels[i].Escalate = []Escalation{{After: 3 * time.Minute, Receivers: []string{"boss"}}}
			}
			return cfg
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range *simSeeds {
				if s := simulate(t, cfg(), seed, alert.Flap{}); s.check() {
					return
				}
			}
		})
	}
	t.Run("flapping", func(t *testing.T) {
		t.Parallel()
		for seed := range *simSeeds {
			if s := simulate(t, levels(), seed, alert.DefaultFlap); s.check() {
				return
			}
		}
	})
}

// TestSimulationOfVersion1 checks what version 1 promises: no two messages
// within run_every, and each breach counted in one of them.
func TestSimulationOfVersion1(t *testing.T) {
	t.Parallel()
	for seed := range *simSeeds {
		cfg := oneLevel(0, &Receiver{Name: "r"}, &Receiver{Name: "q"})
		cfg.Monitors["m"].RunEvery = 5 * time.Minute
		s := newSimulation(t, cfg, seed, alert.Flap{})
		s.run(s.horizon + 2*3600)
		s.checkOnce()
		s.checkRunEvery()
		if len(s.rows) != 0 {
			s.fail("%d rows are left in the outbox", len(s.rows))
		}
		if t.Failed() {
			t.Logf("delivered:\n%s", block(s.lines()))
			return
		}
	}
}

func (s *simulation) checkRunEvery() {
	last := make(map[string]time.Duration)
	counted := make(map[string]int)
	rows := make(map[string]bool)
	for _, d := range s.delivered {
		for _, r := range d.m.Rows {
			thread := r.Alert + ">" + r.Receiver
			if before, ok := last[thread]; ok && d.at-before < 5*time.Minute && !d.m.MaybeRepeat {
				s.fail("%s at %v, %v after the message before", r.ID, d.at, d.at-before)
			}
			last[thread] = d.at
			if !rows[r.ID] {
				counted[r.Receiver] += r.Breaches
			}
			rows[r.ID] = true
		}
	}
	for receiver := range s.cfg.Receivers {
		if counted[receiver] != len(s.incident) {
			s.fail("%s was told of %d breaches, want %d", receiver, counted[receiver], len(s.incident))
		}
	}
}

func simulate(t *testing.T, cfg *Config, seed uint64, flap alert.Flap) *simulation {
	s := newSimulation(t, cfg, seed, flap)
	for range s.rng.IntN(4) {
		s.mute()
	}
	s.run(s.horizon + 2*3600)
	return s
}

func newSimulation(t *testing.T, cfg *Config, seed uint64, flap alert.Flap) *simulation {
	s := &simulation{
		world: newWorld(t, cfg), t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), horizon: 3600,
		outages: map[string][][2]float64{}, incident: map[string]*simIncident{},
	}
	s.world.rng = s.rng
	s.answer, s.takes, s.dies, s.watch = s.answers, s.delays, s.kills, s.seen
	for _, key := range []string{"a", "b", "c"} {
		s.life(key)
	}
	for receiver := range cfg.Receivers {
		for range s.rng.IntN(3) {
			from := s.rng.Float64() * s.horizon
			s.outages[receiver] = append(s.outages[receiver], [2]float64{from, from + s.rng.Float64()*600})
		}
	}
	for range s.rng.IntN(5) {
		s.at(s.rng.Float64()*s.horizon, s.crash)
	}
	s.rules["m"].Flap = flap
	return s
}

// life gives an alert a value now and then, and none too high in the end.
func (s *simulation) life(key string) {
	for at := s.rng.Float64() * 300; at < s.horizon; at += s.rng.ExpFloat64() * 60 {
		value := []float64{0, 0, 5, 5, 25}[s.rng.IntN(5)]
		s.at(at, func() { s.evaluate(key, value) })
	}
	for i := range 10 {
		s.at(s.horizon+float64(60*i+300), func() { s.evaluate(key, 0) })
	}
}

func (s *simulation) evaluate(key string, value float64) {
	before := s.states[key]
	s.set("m", key, value)
	after := s.states[key]
	if after.Phase == alert.Firing && after.Incident != before.Incident && !after.Flapping() {
		s.incident[after.Incident] = &simIncident{
			alert: key, fired: s.now, receivers: s.cfg.Monitors["m"].Levels[after.Rank-1].Receivers,
		}
	}
}

func (s *simulation) mute() {
	from := s.rng.Float64() * s.horizon
	length := 30 + s.rng.Float64()*900
	match := []string{"monitor=m", "level=critical", "level=warning"}[s.rng.IntN(3)]
	s.at(from, func() {
		silence := s.silence(s.now.Sub(epoch).Seconds(), s.now.Sub(epoch).Seconds()+length, match)
		i := slices.Index(s.silences, silence)
		if s.rng.IntN(3) == 0 {
			s.at(from+length/2, func() { s.silences[i] = s.silences[i].Expire(s.now) })
		}
	})
}

func (s *simulation) well(at time.Duration) bool { return at > secs(s.horizon) }

func (s *simulation) answers(receiver string, at time.Duration, _ *Message) Result {
	for _, o := range s.outages[receiver] {
		if at >= secs(o[0]) && at < secs(o[1]) {
			return Result{Kind: Temporary, Error: "down"}
		}
	}
	if !s.well(at) && s.rng.IntN(20) == 0 {
		lost := ""
		if s.rng.IntN(2) == 0 {
			lost = "lost on the way"
		}
		return Result{Kind: Unknown, Error: lost}
	}
	return Result{}
}

func (s *simulation) delays(string) time.Duration {
	if s.rng.IntN(3) > 0 || s.well(s.now.Sub(epoch)) {
		return 0
	}
	return secs(s.rng.Float64() * 20)
}

func (s *simulation) kills(*Message) bool {
	return !s.well(s.now.Sub(epoch)) && s.rng.IntN(40) == 0
}

func (s *simulation) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("seed %d: %s", s.seed, fmt.Sprintf(format, args...))
}

// seen looks at each message at the moment of its claim.
func (s *simulation) seen(m *Message) {
	for _, r := range m.Rows {
		for _, silence := range s.silences {
			if silence.Active(s.now) && silence.Matches(&r.Snapshot) && (!r.Ends() || r.Both) {
				s.fail("%s %s is sent at %v while silenced by %s", r.Kind, r.ID, s.now.Sub(epoch), silence.ID)
			}
		}
	}
	claimed := make(map[string]string)
	for _, r := range s.rows {
		if r.Claim == nil || s.crashed[r.Claim.Writer] {
			continue
		}
		chain := r.Incident + ">" + r.Receiver
		if other := claimed[chain]; other != "" {
			s.fail("%s and %s are claimed at a time", other, r.ID)
		}
		claimed[chain] = r.ID
	}
}

// check looks at how it all ended, and says whether something was wrong.
func (s *simulation) check() bool {
	s.checkOnce()
	s.checkOrder()
	s.checkEnds()
	s.checkUntold()
	if len(s.rows) != 0 {
		s.fail("%d rows are left in the outbox", len(s.rows))
	}
	if len(s.dead) != 0 {
		s.fail("%d dead letters, though every outage ended", len(s.dead))
	}
	if s.t.Failed() {
		s.t.Logf("delivered:\n%s", block(s.lines()))
	}
	return s.t.Failed()
}

// checkOnce: nobody is told twice, unless the outcome was unknown; then the
// message says so.
func (s *simulation) checkOnce() {
	sure := make(map[string]bool)
	for _, d := range s.delivered {
		if d.m.MaybeRepeat {
			continue
		}
		for _, r := range d.m.Rows {
			for _, id := range append([]string{r.ID}, r.Also...) {
				if sure[id] {
					s.fail("%s was told twice", id)
				}
				sure[id] = true
			}
		}
	}
}

// checkOrder: what a receiver hears of an incident is in order.
func (s *simulation) checkOrder() {
	last := make(map[string]int)
	for _, d := range s.delivered {
		for _, r := range d.m.Rows {
			chain := r.Incident + ">" + r.Receiver
			if r.Seq < last[chain] || r.Seq == last[chain] && !d.m.MaybeRepeat {
				s.fail("%s came after sequence %d", r.ID, last[chain])
			}
			last[chain] = r.Seq
		}
	}
}

// checkEnds: who was told of a firing is told of its end, and nobody else is.
func (s *simulation) checkEnds() {
	open := make(map[string]bool)
	for _, d := range s.delivered {
		for _, r := range d.m.Rows {
			chain := r.Incident + ">" + r.Receiver
			switch {
			case !r.Ends():
				open[chain] = true
			case !open[chain] && !r.Both && !d.m.MaybeRepeat && !r.Told:
				s.fail("%s ends what was not told", r.ID)
			default:
				delete(open, chain)
			}
		}
	}
	for chain := range open {
		s.fail("%s was told of a firing and never of its end", chain)
	}
}

// checkUntold: each firing was told to each of its receivers, or the history
// says why not.
func (s *simulation) checkUntold() {
	heard := make(map[string]bool)
	for _, d := range s.delivered {
		for _, r := range d.m.Rows {
			heard[r.Incident+">"+r.Receiver] = true
		}
	}
	why := make(map[string]bool)
	for _, e := range s.history {
		if e.What == WhatNotTold && untoldReason(e.Reason) {
			why[e.Incident+">"+e.Receiver] = true
		}
	}
	for id, inc := range s.incident {
		for _, receiver := range inc.receivers {
			if chain := id + ">" + receiver; !heard[chain] && !why[chain] {
				s.fail("%s fired at %v, and %s never heard of it, nor does the history say why", id, inc.fired.Sub(epoch), receiver)
			}
		}
	}
}

// untoldReason says whether a reason explains that a receiver hears nothing of
// an incident at all.
func untoldReason(reason string) bool {
	for _, prefix := range []string{"came and went", "over before", "the level that stands"} {
		if strings.HasPrefix(reason, prefix) {
			return true
		}
	}
	return false
}
