package main

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealgate/sealgate/caddyfiles"
	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/keyring/local"
)

//go:embed files
var templates embed.FS

// principal is the one client's name in the demo's files.
const principal = "quickstart"

// workspace is the folder with everything the demo writes.
type workspace struct {
	dir       string
	policy    string // where the rules are
	posture   string // where the posture is
	temporary bool
	client    clients.Client // whom the demo speaks to the gateway as
}

func (w *workspace) path(name string) string { return filepath.Join(w.dir, name) }

// What a workspace holds; the Caddyfile knows all of these names but the last.
const (
	caddyfileName = "Caddyfile"
	postureName   = "posture.yaml"
	clientsName   = "clients.yaml"
	keyringName   = "main.keyring"
	policyName    = "policy"
	recordsName   = "decisions.jsonl"
	storeName     = "store"
)

// openWorkspace makes the folder and writes what is missing in it. Files that are
// there are used as they are, so that a reader can change them and start again.
func openWorkspace(o options) (*workspace, error) {
	w := &workspace{dir: o.dir, temporary: o.dir == ""}
	var err error
	if w.temporary {
		w.dir, err = os.MkdirTemp("", "sealgate-quickstart-")
	} else {
		err = os.MkdirAll(w.dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	w.policy, w.posture = cmp.Or(o.policy, w.path(policyName)), cmp.Or(o.posture, w.path(postureName))
	if err := w.write(o); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *workspace) write(o options) error {
	if o.posture != "" {
		// The Caddyfile knows one name; a change of the file is seen through the link.
		if err := link(o.posture, w.path(postureName)); err != nil {
			return err
		}
	}
	caddyfile, err := fs.ReadFile(caddyfiles.FS(), "quickstart.Caddyfile")
	if err != nil {
		return err
	}
	if err := writeNew(w.path(caddyfileName), string(caddyfile)); err != nil {
		return err
	}
	files, err := fs.Sub(templates, "files")
	if err != nil {
		return err
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := w.path(filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(path, 0o700)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return writeNew(path, strings.ReplaceAll(string(text), "BUCKET", o.bucket))
	})
	if err != nil {
		return err
	}
	if _, err := local.Init(w.path(keyringName)); err != nil && !errors.Is(err, local.ErrExists) {
		return fmt.Errorf("keyring: %w", err)
	}
	w.client, err = openClient(w.path(clientsName))
	return err
}

// writeNew writes a file unless it is there.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// link makes path lead to a file, unless it does.
func link(file, path string) error {
	err := os.Symlink(file, path)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if there, err := os.Readlink(path); err == nil && there == file {
		return nil
	}
	return fmt.Errorf("-posture %s: %s is there and is another; give another -dir", file, path)
}

// openClient finds the demo's client in a clients file, or adds it.
func openClient(path string) (clients.Client, error) {
	listed, err := clients.List(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return clients.Client{}, err
	}
	for _, c := range listed {
		if c.Principal != principal {
			continue
		}
		store, err := clients.Open(path)
		if err != nil {
			return clients.Client{}, err
		}
		return store.Lookup(c.AccessKey, time.Now())
	}
	c, err := clients.Add(path, clients.NewClient{Principal: principal})
	if err != nil {
		return clients.Client{}, fmt.Errorf("clients: %w", err)
	}
	return c, nil
}

// close removes a temporary folder.
func (w *workspace) close() error {
	if !w.temporary {
		return nil
	}
	return os.RemoveAll(w.dir)
}
