//go:build unix

package fleet

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

// tracedStore is a Store that writes down what this process gets stored and
// reads, line by line and at once, so that it is known after a kill:
//
//	name      id text                 a series' name was published
//	published writer tick counters    a bucket of a fine tick was stored; counters as id:millionths
//	read      writer tick counters    a bucket of a fine tick was read
//	claimed   row message writer tells  a message was claimed; tells says that the row is not just an end
//	sent      row                     a message was settled as delivered
//	head      tick writer             an evaluation was stored
//	copied    epoch rev               the ledger was copied up to there
//	stored    epoch rev               a commit of this process is there
//	history   json                    an entry of the history, for whoever looks for a cause
type tracedStore struct {
	*redisstore.Store
	mu  sync.Mutex // guards out and at
	out *os.File
	at  store.Cursor
}

// wildRetention is how long a traced child's buckets are kept.
const wildRetention = 90 * time.Second

func newTracedStore(client redis.UniversalClient, path string) (*tracedStore, error) {
	out, err := os.OpenFile(fmt.Sprintf("%s-%d", path, os.Getpid()), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	inner := redisstore.New(client, redisstore.WithTick(fleetTick), redisstore.WithRetention(wildRetention))
	return &tracedStore{Store: inner, out: out}, nil
}

func (s *tracedStore) close() { s.out.Close() }

// write writes lines in one call, each with the time before it.
func (s *tracedStore) write(lines []string) {
	if len(lines) == 0 {
		return
	}
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(now + " " + line + "\n")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.WriteString(b.String())
}

// Publish implements [store.Samples].
func (s *tracedStore) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	reply, err := s.Store.Publish(ctx, p)
	if err != nil {
		return reply, err
	}
	var lines []string
	for _, n := range p.Names {
		lines = append(lines, fmt.Sprintf("name %x %s", n.ID, n.Text))
	}
	for _, b := range p.Buckets {
		if b.Tier == store.TierFine {
			lines = append(lines, bucketLine("published", b))
		}
	}
	s.write(lines)
	return reply, nil
}

// Read implements [store.Samples].
func (s *tracedStore) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	answers, err := s.Store.Read(ctx, q)
	var lines []string
	for _, a := range answers {
		for _, b := range a.Buckets {
			if a.Tier == store.TierFine {
				lines = append(lines, bucketLine("read", b))
			}
		}
	}
	s.write(lines)
	return answers, err
}

func bucketLine(what string, b store.Bucket) string {
	var decoded bucket.Bucket
	var ids []string
	if bucket.Decode(b.Data, &decoded) == nil {
		for _, c := range decoded.Counters {
			ids = append(ids, fmt.Sprintf("%x:%d", c.ID, c.Delta))
		}
	}
	return fmt.Sprintf("%s %s %d %s", what, b.Writer, b.Tick, strings.Join(ids, ","))
}

// Changes implements [store.Ledger].
func (s *tracedStore) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	ch, err := s.Store.Changes(ctx, after)
	if err == nil && !ch.Cursor.Epoch.IsZero() {
		s.mu.Lock()
		moved := s.at != ch.Cursor
		s.at = ch.Cursor
		s.mu.Unlock()
		if moved {
			s.write([]string{fmt.Sprintf("copied %s %d", ch.Cursor.Epoch, ch.Cursor.Rev)})
		}
	}
	return ch, err
}

// Commit implements [store.Ledger].
func (s *tracedStore) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	at, err := s.Store.Commit(ctx, c)
	if err != nil {
		return at, err
	}
	lines := []string{fmt.Sprintf("stored %s %d", at.Epoch, at.Rev)}
	for _, e := range c.Put {
		if line := recordLine(e); line != "" {
			lines = append(lines, line)
		}
	}
	s.write(lines)
	return at, nil
}

func recordLine(e store.Entry) string {
	name := strings.TrimPrefix(e.Key, ledger.Class(e.Key)+"/")
	switch ledger.Class(e.Key) {
	case ledger.ClassRow:
		var row notify.Row
		if json.Unmarshal(e.Value, &row) == nil && row.Claim != nil {
			return fmt.Sprintf("claimed %s %s %s %t", row.ID, row.Claim.Message, row.Claim.Writer, row.Both || !row.Ends())
		}
	case ledger.ClassSent:
		return "sent " + name
	case ledger.HeadKey:
		var head ledger.Head
		if json.Unmarshal(e.Value, &head) == nil {
			return fmt.Sprintf("head %d %s", head.Tick, head.Writer)
		}
	case ledger.ClassHistory:
		return "history " + string(e.Value)
	}
	return ""
}

// tracedMail is a mail as a traced child writes it down.
type tracedMail struct {
	At       int64  `json:"at"` // Unix nanoseconds
	PID      int    `json:"pid"`
	To       string `json:"to"`
	ID       string `json:"id"`
	Incident string `json:"incident"`
	Subject  string `json:"subject"`
	Repeat   bool   `json:"repeat"` // says that it may be one
}

// deliverTraced appends a mail to the file that all children share.
func deliverTraced(_ context.Context, cfg hawkeye.MailerConfig) error {
	m := tracedMail{
		At: time.Now().UnixNano(), PID: os.Getpid(), To: cfg.Recipients[0], ID: cfg.MessageID, Subject: cfg.Subject,
		Incident: cfg.Headers["X-Hawkeye-Incident"], Repeat: strings.Contains(cfg.Body, "may be a repeat"),
	}
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(os.Getenv(envMails), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	return err
}

// messageID is what a message of the outbox is called as a mail of shop's.
func messageID(message string) string {
	sum := sha256.Sum256([]byte(message))
	return "<" + hex.EncodeToString(sum[:16]) + "@shop.hawkeye>"
}

// trace is what one process wrote down.
type trace struct {
	events []event
}

// event is a line of a trace.
type event struct {
	at   time.Time
	what string
	args []string
}

func readTrace(t testing.TB, path string) trace {
	t.Helper()
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return trace{} // it ended before it did anything
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all trace
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		nanos, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil || len(fields) < 2 {
			continue
		}
		all.events = append(all.events, event{time.Unix(0, nanos), fields[1], fields[2:]})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
