module github.com/go-batteries/hawkeye/examples/gin

go 1.26.0

require (
	github.com/gin-gonic/gin v1.12.0
	github.com/go-batteries/hawkeye v0.0.0
	github.com/go-batteries/hawkeye/hawkeyegin v0.0.0
)
