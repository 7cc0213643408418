//go:build !linux

package sockfile

import "net"

// PeerCredentials says whether [Peer] can tell who is at the other end. What
// the BSDs have for it (LOCAL_PEERCRED) can't be reached with the standard
// library alone.
const PeerCredentials = false

// CredentialsSpace is how many bytes of control message [Sender] needs.
const CredentialsSpace = 0

// Peer returns [ErrNoCredentials].
func Peer(*net.UnixConn) (uid uint32, pid int32, err error) { return 0, 0, ErrNoCredentials }

// Sender returns [ErrNoCredentials].
func Sender([]byte) (uid uint32, err error) { return 0, ErrNoCredentials }
