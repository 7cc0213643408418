module github.com/go-batteries/hawkeye/test/interop

go 1.26.0

require github.com/DataDog/datadog-go/v5 v5.9.1

require (
	github.com/Microsoft/go-winio v0.5.0 // indirect
	github.com/go-batteries/hawkeye v0.1.0
	golang.org/x/sys v0.48.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
