package hawkeye

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-batteries/hawkeye/internal/ingest/client"
)

// Errors that a caller may branch on, with errors.Is.
var (
	// ErrInvalidOption is in every error that [New] or [NewClient] returns
	// for an option that can't be used.
	ErrInvalidOption = errors.New("hawkeye: invalid option")
	// ErrInvalidConfig is in every error about monitors, from a file or from
	// code; its text names each mistake with its place.
	ErrInvalidConfig = errors.New("hawkeye: invalid configuration")
	// ErrStarted is returned by a second [Hawkeye.Start].
	ErrStarted = errors.New("hawkeye: already started")
	// ErrShutdown is returned by what needs a running handle after
	// [Hawkeye.Shutdown].
	ErrShutdown = errors.New("hawkeye: shut down")
	// ErrStoreUnavailable is returned by [Hawkeye.Start] under
	// [WithRequireStore] when the Store didn't answer in time.
	ErrStoreUnavailable = errors.New("hawkeye: store unavailable")
	// ErrNotFound is returned for a silence, an alert or a monitor that there
	// isn't.
	ErrNotFound = errors.New("hawkeye: not found")
	// ErrNilHandle is returned by the methods of a nil handle that would have
	// changed something that people rely on: [Hawkeye.Silence],
	// [Hawkeye.EditSilence], [Hawkeye.ExpireSilence], [Hawkeye.Ack] and
	// [Hawkeye.Reload].
	ErrNilHandle = errors.New("hawkeye: nil handle")
	// ErrSocketInUse is returned by [Hawkeye.Start] when a socket path that
	// was asked for is served by another live process.
	ErrSocketInUse = errors.New("hawkeye: socket in use")
	// ErrClientClosed is returned by [Client.Ping] and [Client.Flush] after
	// [Client.Close].
	ErrClientClosed = client.ErrClosed
)

// Permanent marks err as one that trying again won't mend: a MailingService
// returns it to have the message put with the dead letters at once, and told
// through the fallback receiver if there is one. It returns nil for nil.
//
// Any error with a method Permanent() bool that answers true means the same.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

type permanentError struct{ error }

func (e permanentError) Unwrap() error   { return e.error }
func (e permanentError) Permanent() bool { return true }

// RecipientsError is what a MailingService returns when only some recipients
// were reached: the others' addresses, each with what went wrong. Only they
// are tried again, and of them only those whose error isn't [Permanent].
type RecipientsError struct {
	Failed map[string]error
}

// Error lists the recipients in alphabetical order.
func (e *RecipientsError) Error() string {
	if e == nil {
		return "<nil>"
	}
	parts := make([]string, 0, len(e.Failed))
	for _, rcpt := range slices.Sorted(maps.Keys(e.Failed)) {
		parts = append(parts, fmt.Sprintf("%s: %v", rcpt, e.Failed[rcpt]))
	}
	return "deliver to some recipients: " + strings.Join(parts, "; ")
}
