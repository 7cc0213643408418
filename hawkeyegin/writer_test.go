package hawkeyegin

import (
	"compress/gzip"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

// packed compresses what is written, each piece a gzip member of its own.
type packed struct{ gin.ResponseWriter }

func (p packed) Write(b []byte) (int, error) {
	z := gzip.NewWriter(p.ResponseWriter)
	z.Write(b)
	return len(b), z.Close()
}

func (p packed) WriteString(s string) (int, error) { return p.Write([]byte(s)) }

// compress leaves its Writer in the context.
func compress(c *gin.Context) {
	c.Header("Content-Encoding", "gzip")
	c.Writer = packed{c.Writer}
	c.Next()
}

// TestWriterIsPutBack is about a middleware around ours that looks at the
// Writer afterwards.
func TestWriterIsPutBack(t *testing.T) {
	t.Parallel()
	e := gin.New()
	e.Use(func(c *gin.Context) {
		before := c.Writer
		c.Next()
		if c.Writer != before {
			t.Errorf("the Writer is %T after the request, want %T as before", c.Writer, before)
		}
	}, count(new(notes)))
	e.GET("/", func(c *gin.Context) { c.String(200, "hi") })
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

// TestReroutedToTheSameRoute counts once behind a Writer that stays, although
// neither the Writer nor the route tells.
func TestReroutedToTheSameRoute(t *testing.T) {
	t.Parallel()
	var got notes
	e := gin.New()
	e.Use(count(&got), compress)
	e.GET("/users/:id", func(c *gin.Context) {
		if c.Param("id") == "7" {
			c.Request.URL.Path = "/users/8"
			e.HandleContext(c)
			return
		}
		c.Status(202)
	})
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users/7", nil))
	if len(got.exchanges) != 1 || got.exchanges[0].Status != 202 {
		t.Errorf("recorded %+v, want the one 202", got.exchanges)
	}
}

// TestOuterWriterWithAStatus is about a Writer below ours that tells another
// status than the one that was written, as that of gin-contrib/gzip does when a
// handler sets one too late.
func TestOuterWriterWithAStatus(t *testing.T) {
	t.Parallel()
	var got notes
	e := gin.New()
	e.Use(func(c *gin.Context) { c.Writer = &forgetful{ResponseWriter: c.Writer, status: 200}; c.Next() }, count(&got))
	e.GET("/", func(c *gin.Context) { c.String(200, "hi"); c.AbortWithStatus(502) })
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if len(got.exchanges) != 1 || got.exchanges[0].Status != 200 {
		t.Errorf("recorded %+v, want the 200 that was written", got.exchanges)
	}
}

type forgetful struct {
	gin.ResponseWriter
	status int
}

func (f *forgetful) WriteHeader(code int) { f.status = code; f.ResponseWriter.WriteHeader(code) }
func (f *forgetful) Status() int          { return f.status }
