package redisstore

// AsBeforeRedis7 makes s use the scripts that servers before Redis 7 get.
func AsBeforeRedis7(s *Store) *Store {
	s.plain.Store(true)
	return s
}

// ParseSnapshot is for the fuzz test.
var ParseSnapshot = parseSnapshot

// RenewNow makes the renewal of lifetimes due.
func RenewNow(s *Store) { s.lastRenewal.Store(0) }
