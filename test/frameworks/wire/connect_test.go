package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-batteries/hawkeye"
)

type text = wrapperspb.StringValue

// procedures are what a service does for a call, by path.
var procedures = map[string]func(id string) (string, error){
	"/users.v1.Users/Get": func(id string) (string, error) { return "user " + id, nil },
	"/users.v1.Users/Absent": func(id string) (string, error) {
		return "", connect.NewError(connect.CodeNotFound, errors.New("no "+id))
	},
	"/users.v1.Users/Broken": func(id string) (string, error) { return "", errors.New("broken for " + id) },
	"/users.v1.Users/Denied": func(id string) (string, error) {
		return "", connect.NewError(connect.CodePermissionDenied, errors.New(id))
	},
	"/users.v1.Users/Panic": func(id string) (string, error) { panic("panic of " + id) },
}

const listing = "/users.v1.Users/List"

func connectHandler(h *hawkeye.Hawkeye) http.Handler {
	m := http.NewServeMux()
	for path, do := range procedures {
		m.Handle(path, connect.NewUnaryHandler(path, func(_ context.Context, r *connect.Request[text]) (*connect.Response[text], error) {
			answer, err := do(r.Msg.GetValue())
			return connect.NewResponse(&text{Value: answer}), err
		}))
	}
	m.Handle(listing, connect.NewServerStreamHandler(listing,
		func(_ context.Context, r *connect.Request[text], s *connect.ServerStream[text]) error {
			for i := range 3 {
				if err := s.Send(&text{Value: fmt.Sprint(r.Msg.GetValue(), " ", i)}); err != nil {
					return err
				}
			}
			return connect.NewError(connect.CodeDataLoss, errors.New("no more of "+r.Msg.GetValue()))
		}))
	return h.Middleware(m)
}

// calls are a request for each procedure.
func calls() []request {
	var out []request
	call := func(path, contentType, body string, counted string) {
		out = append(out, request{
			scenario: scenario{name: path, counted: counted},
			text: fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nConnect-Protocol-Version: 1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
				path, contentType, len(fmt.Sprintf(body, "c00")), body),
		})
	}
	const message = `"%[1]s"`
	for path := range procedures {
		counted := ""
		if path == "/users.v1.Users/Panic" {
			counted = "500"
		}
		call(path, "application/json", message, counted)
	}
	size := binary.BigEndian.AppendUint32(nil, uint32(len(fmt.Sprintf(message, "c00"))))
	call(listing, "application/connect+json", "\x00"+string(size)+message, "")
	call(listing, "text/plain", message, "") // which it doesn't take
	return out
}

func TestConnect(t *testing.T) {
	t.Parallel()
	f := framework{pattern: "%s"}
	h := start(t, &f)
	all := calls()
	answers := ask(t, serve(t, connectHandler(nil)), serve(t, connectHandler(h)), all)
	stop(t, h)
	f.check(t, h, all, answers)
}
