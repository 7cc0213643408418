package follower

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store"
)

// standing is how the head stood over time, by our own clock.
type standing struct {
	mu      sync.Mutex // guards what follows
	began   time.Time  // when the ledger began to be followed
	commit  store.ID   // the head, since when it stands
	since   time.Time
	read    time.Time // when the ledger was read last
	why     error     // why it couldn't be read since
	at      store.Cursor
	moved   time.Time // when the ledger was seen to move last, be it read or not
	config  string    // what decides in place of our configuration, since when; empty if ours does
	lost    time.Time
	refused bool // as it was logged
}

func (s *standing) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.since = time.Now(), time.Now()
}

// flushed takes where the ledger stands by word of the Store.
func (s *standing) flushed(at store.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at != s.at {
		s.at, s.moved = at, time.Now()
	}
}

// unread takes note that the ledger couldn't be read.
func (s *standing) unread(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = err
}

// Sign is what changes as long as something is evaluated in the fleet.
type Sign struct {
	commit store.ID  // the head, which each evaluation replaces
	moved  time.Time // zero if the ledger can be read
}

// sign returns the sign of life that the fleet gave last. Where the ledger
// can't be read, that it moves says that others work with it.
func (s *standing) sign() Sign {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read.IsZero() || s.why != nil {
		return Sign{s.commit, s.moved}
	}
	return Sign{commit: s.commit}
}

// look takes the head as it is now. It says once that the ledger is not ours,
// and once that it is again.
func (f *Follower) look(ctx context.Context) {
	s := &f.head
	head, commit, _, err := f.cfg.Mirror.Head()
	refused, own := errors.As(err, new(*ledger.Refusal)), f.cfg.Current.Load().Set.Hash
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read, s.why = time.Now(), nil
	if commit != s.commit {
		s.commit, s.since = commit, time.Now()
	}
	switch {
	case err != nil || head.Config == "" || head.Config == own:
		s.config = ""
	case s.config == "":
		s.lost = time.Now()
		fallthrough
	default:
		s.config = head.Config
	}
	switch {
	case refused && !s.refused:
		f.cfg.Logger.LogAttrs(ctx, slog.LevelError, "this process has no part in the fleet that it found", slog.Any("error", err))
	case !refused && s.refused:
		f.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "this process has a part in the fleet again")
	}
	s.refused = refused
}

// Standing is how the ledger's head stands.
type Standing struct {
	Began      time.Time // when the ledger began to be followed
	Since      time.Time // since when the head stands
	Unread     error     // why the ledger couldn't be read since
	Config     string    // what decides in place of our configuration; empty if ours does
	Superseded time.Time // since when it does
}

// Standing returns how the head stands by our own clock.
func (f *Follower) Standing() Standing {
	s := &f.head
	s.mu.Lock()
	defer s.mu.Unlock()
	return Standing{Began: s.began, Since: s.since, Unread: s.why, Config: s.config, Superseded: s.lost}
}

// Sign returns the sign of life that the fleet gave last.
func (f *Follower) Sign() Sign { return f.head.sign() }
