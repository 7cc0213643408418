// Package hawkeye is alerting that you import.
//
// One [New] inside a service gives a handle that starts, as goroutines of
// that process, a metric server on a Unix socket, an agent that evaluates
// monitors.yaml, and a notifier that tells people through a MailingService of
// yours. What is counted lies in a pluggable [Store]: memory by default,
// Redis when a fleet of replicas shares it.
//
//	h, err := hawkeye.New(
//		hawkeye.WithService("checkout", "prod"),
//		hawkeye.WithConfigFile("monitors.yaml"),
//		hawkeye.WithMailer(myMailingService),
//	)
//	if err != nil { ... }
//	if err := h.Start(ctx); err != nil { ... }
//	defer h.Shutdown(ctx)
//
//	http.ListenAndServe(":8080", h.Middleware(mux))
//
// hawkeye never crashes its host, never blocks its request path, and never
// grows without a bound: whatever it can't keep it drops, counts and shows in
// [Hawkeye.Stats].
package hawkeye
