package clients

import (
	"errors"
	"time"
)

// Why a client is not let in.
var (
	// ErrUnknown: no client has this access key.
	ErrUnknown = errors.New("unknown access key")
	// ErrDisabled: the client exists and is switched off.
	ErrDisabled = errors.New("access key is disabled")
	// ErrExpired: the client's time is over.
	ErrExpired = errors.New("access key has expired")
)

// Client is one caller: a key pair and the identity it stands for.
type Client struct {
	AccessKey string
	Secret    Secret
	Principal string
	// Groups and Attributes belong to the Store: read, never changed.
	Groups     []string
	Attributes map[string]string
	Expires    time.Time // the client is refused from this moment; zero: never
	Disabled   bool
}

// usable reports why the client may not be let in at now, nil if it may.
func (c *Client) usable(now time.Time) error {
	switch {
	case c.Disabled:
		return ErrDisabled
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		return ErrExpired
	}
	return nil
}
