// Package frameworks holds no code but tests: services in the web frameworks
// that people mount the middleware in, each once with and once without
// hawkeye, which must answer alike to the byte. It is a module of its own,
// because the frameworks are many.
package frameworks
