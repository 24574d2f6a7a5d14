package clients

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// ErrExists: a client with this access key is in the file already.
var ErrExists = errors.New("access key exists already")

// State says whether a client may be let in.
type State bool

// The states of a client.
const (
	Enabled  State = false
	Disabled State = true
)

// NewClient is what [Add] is told. Principal is required.
type NewClient struct {
	AccessKey  string // generated if empty
	Secret     Secret // generated if empty
	Principal  string
	Groups     []string
	Attributes map[string]string
	Expires    time.Time // zero: never
}

// Add appends a client to the file at path, creating the file with mode 0600
// if there is none, and returns it with its secret: nothing else will show the
// secret again. A generated access key is 20 characters, "SG" and capitals and
// digits; a generated secret is 40 letters and digits.
func Add(path string, n NewClient) (Client, error) {
	e := entry{
		AccessKey: n.AccessKey, Secret: n.Secret.Reveal(), Principal: n.Principal,
		Groups: slices.Clone(n.Groups), Attributes: n.Attributes,
	}
	if e.AccessKey == "" {
		e.AccessKey = newAccessKey()
	}
	if e.Secret == "" {
		e.Secret = newSecret()
	}
	if !n.Expires.IsZero() {
		e.Expires = n.Expires.UTC().Format(time.RFC3339)
	}
	if err := e.check(); err != nil {
		return Client{}, err
	}
	err := edit(path, func(root *yaml.Node, d *document) error {
		if slices.ContainsFunc(d.Clients, func(o entry) bool { return o.AccessKey == e.AccessKey }) {
			return fmt.Errorf("%s: %w", e.AccessKey, ErrExists)
		}
		var item yaml.Node
		if err := item.Encode(e); err != nil {
			return err
		}
		list, err := clientList(root)
		if err != nil {
			return err
		}
		list.Content = append(list.Content, &item)
		d.Clients = append(d.Clients, e)
		return nil
	})
	if err != nil {
		return Client{}, err
	}
	c := e.client()
	c.Secret = NewSecret(e.Secret)
	return c, nil
}

// SetDisabled switches the client with this access key off or on. A key that
// is not in the file is an [ErrUnknown].
func SetDisabled(path, accessKey string, to State) error {
	return edit(path, func(root *yaml.Node, d *document) error {
		i := slices.IndexFunc(d.Clients, func(e entry) bool { return e.AccessKey == accessKey })
		if i < 0 {
			return fmt.Errorf("%s: %w", accessKey, ErrUnknown)
		}
		list, err := clientList(root)
		if err != nil {
			return err
		}
		if i >= len(list.Content) {
			return errOwnHand
		}
		if err := setBool(list.Content[i], "disabled", bool(to)); err != nil {
			return err
		}
		d.Clients[i].Disabled = bool(to)
		return nil
	})
}

// List returns the clients of the file in its order, without their secrets:
// secret files and variables are not read, and Secret is empty throughout.
func List(path string) ([]Client, error) {
	data, _, err := readPrivate(path, maxFile)
	if err != nil {
		return nil, err
	}
	d, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := make([]Client, len(d.Clients))
	for i := range d.Clients {
		out[i] = d.Clients[i].client()
	}
	return out, nil
}

// errOwnHand: the file uses YAML that cannot be edited without changing what
// else it says.
var errOwnHand = errors.New("the file is written in a way (anchors, aliases, merges) that only its author can edit safely; nothing was changed")

// edit changes the file at path under the folder's lock. change alters the
// tree and, in the same way, the document; what would be written is read back
// and must be that document, or nothing is written at all.
func edit(path string, change func(root *yaml.Node, d *document) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // replace the file, not the link to it
	}
	unlock, err := lockDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	data, info, err := readPrivate(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		data, info, err = []byte("version: 1\nclients: []\n"), nil, nil
	}
	if err != nil {
		return err
	}
	d, err := parse(data)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", path, err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return fmt.Errorf("%s: %w", path, describe(err))
	}
	if err := change(&root, &d); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	edited, err := render(&root)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if got, err := parse(edited); err != nil || !sameClients(got, d) {
		return fmt.Errorf("%s: %w", path, errOwnHand)
	}
	return replaceFile(path, edited, info)
}

// sameClients compares what two documents mean.
func sameClients(a, b document) bool {
	return slices.EqualFunc(a.Clients, b.Clients, func(x, y entry) bool {
		x.expires, y.expires = time.Time{}, time.Time{} // Expires is their source
		if len(x.Groups) == 0 && len(y.Groups) == 0 {
			x.Groups, y.Groups = nil, nil
		}
		if len(x.Attributes) == 0 && len(y.Attributes) == 0 {
			x.Attributes, y.Attributes = nil, nil
		}
		return reflect.DeepEqual(x, y)
	})
}

const (
	capitals     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // RFC 4648 base 32
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// newAccessKey returns "SG" and 18 characters: 90 random bits.
func newAccessKey() string { return "SG" + randomText(capitals, 18) }

// newSecret returns 40 characters: 238 random bits.
func newSecret() string { return randomText(alphanumeric, 40) }

// randomText draws n characters of alphabet, each equally likely.
func randomText(alphabet string, n int) string {
	limit := 256 - 256%len(alphabet) // bytes from here on would favour some
	out := make([]byte, 0, n)
	var b [1]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
		if int(b[0]) < limit {
			out = append(out, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(out)
}
