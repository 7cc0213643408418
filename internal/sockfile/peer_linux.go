package sockfile

import (
	"net"
	"syscall"
)

// PeerCredentials says whether [Peer] can tell who is at the other end.
const PeerCredentials = true

// Peer returns the user and the process that made the other end of c, as they
// were when it connected (SO_PEERCRED of unix(7)).
func Peer(c *net.UnixConn) (uid uint32, pid int32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *syscall.Ucred
	var inner error
	err = raw.Control(func(fd uintptr) {
		cred, inner = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil {
		return 0, 0, err
	}
	if inner != nil {
		return 0, 0, inner
	}
	return cred.Uid, cred.Pid, nil
}

// CredentialsSpace is how many bytes of control message [Sender] needs.
var CredentialsSpace = syscall.CmsgSpace(syscall.SizeofUcred)

// Sender returns the user that sent a datagram, from its control message.
// Every datagram socket of this package asks for one (SO_PASSCRED).
func Sender(control []byte) (uid uint32, err error) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return 0, err
	}
	for i := range messages {
		if cred, err := syscall.ParseUnixCredentials(&messages[i]); err == nil {
			return cred.Uid, nil
		}
	}
	return 0, ErrNoCredentials
}
