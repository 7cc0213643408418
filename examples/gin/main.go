// Gin is a gin service that is watched by hawkeye: its middleware counts the
// responses, examples/gin/monitors.yaml says when that is too many, and mails
// go to the log.
//
//	go run ./examples/gin
//	ab -n 10 -c 1 http://localhost:8080/400
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyegin"
	"github.com/go-batteries/hawkeye/store/memstore"
)

//go:embed monitors.yaml
var monitors []byte

func main() {
	addr := flag.String("addr", "localhost:8080", "where to listen")
	config := flag.String("config", "", "a monitors.yaml; default: the one of this example")
	socket := flag.String("socket", "", "path of the metric server's socket; default: hawkeye's own")
	state := flag.String("state", "", "a file that keeps counts and alerts over a restart; default: none")
	without := flag.Bool("without", false, "run without hawkeye, to compare")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, settings{*config, *socket, *state, *without}); err != nil {
		log.Fatal(err)
	}
}

// settings are the flags that concern hawkeye.
type settings struct {
	config, socket, state string
	without               bool
}

func run(ctx context.Context, addr string, s settings) error {
	gin.SetMode(gin.ReleaseMode)
	var h *hawkeye.Hawkeye // nil works, and does nothing
	if !s.without {
		var err error
		if h, err = watch(s); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if err := h.Start(ctx); err != nil {
		return errors.Join(err, ln.Close())
	}
	srv := &http.Server{Handler: router(h), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	slog.Info("listening", "url", "http://"+ln.Addr().String())
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	// First the server, then hawkeye: the last requests are counted, evaluated
	// and told. ctx is over, hence another one.
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, srv.Shutdown(stop), h.Shutdown(stop))
}

// watch makes the handle. Without WithMailer mails go to the log.
func watch(s settings) (*hawkeye.Hawkeye, error) {
	opts := []hawkeye.Option{hawkeye.WithService("gin-example", "development")}
	if s.socket != "" {
		opts = append(opts, hawkeye.WithSocket(s.socket))
	}
	if s.state != "" {
		memory, err := memstore.New(memstore.WithStateFile(s.state))
		if err != nil {
			return nil, err
		}
		opts = append(opts, hawkeye.WithStore(memory))
	}
	if s.config == "" {
		opts = append(opts, hawkeye.WithConfig("monitors.yaml", monitors))
	} else {
		opts = append(opts, hawkeye.WithConfigFile(s.config))
	}
	return hawkeye.New(opts...)
}

func router(h *hawkeye.Hawkeye) http.Handler {
	r := gin.New()
	r.Use(hawkeyegin.Middleware(h), gin.Recovery())
	r.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	r.GET("/400", func(c *gin.Context) { c.String(http.StatusBadRequest, "bad request\n") })
	r.GET("/500", func(c *gin.Context) { c.String(http.StatusInternalServerError, "error\n") })
	r.GET("/orders/:id", func(c *gin.Context) {
		began := time.Now()
		h.Incr("orders.read", hawkeye.T("region", "eu"))
		c.String(http.StatusOK, "order %s\n", c.Param("id"))
		h.Timing("orders.read.time", time.Since(began))
	})
	// What hawkeye knows, for a look: /hawkeye/query?metric=http.requests
	r.GET("/hawkeye/query", func(c *gin.Context) { query(c, h) })
	r.GET("/hawkeye/alerts", func(c *gin.Context) { c.JSON(http.StatusOK, h.Alerts()) })
	r.GET("/hawkeye/health", func(c *gin.Context) { c.JSON(http.StatusOK, h.Health()) })
	return r
}

func query(c *gin.Context, h *hawkeye.Hawkeye) {
	seconds, err := strconv.Atoi(c.DefaultQuery("seconds", "60"))
	if err != nil {
		c.String(http.StatusBadRequest, "seconds: %v\n", err)
		return
	}
	res, err := h.Query(c, c.Query("metric"), time.Duration(seconds)*time.Second, c.QueryArray("where")...)
	if err != nil {
		c.String(http.StatusBadRequest, "%v\n", err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"value": res.Value, "kind": res.Kind, "complete": res.Complete})
}
