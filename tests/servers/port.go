package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below the range in which systems number the near ends of
// outgoing connections, so that no connection can sit on one that was found free.
const (
	firstPort = 20000
	lastPort  = 32000
)

var handedOut sync.Map // ports given to a child of this program, never given again

// freePort returns a port of 127.0.0.1 that nothing listens on. It is not
// reserved against other programs.
func freePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		l.Close()
		if _, taken := handedOut.LoadOrStore(port, true); !taken {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", firstPort, lastPort)
}
