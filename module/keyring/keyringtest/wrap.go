package keyringtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

func testKEKs(t *testing.T, open Opener) {
	k := open(t)
	before := slices.Clone(k.KEKs())
	seal(t, k, newSubject()).opens(t)
	if !slices.Equal(k.KEKs(), before) {
		t.Errorf("KEKs() = %v, before %v", k.KEKs(), before)
	}
	seen := make(map[keyring.KEK]bool)
	for _, kek := range before {
		if seen[kek] {
			t.Errorf("KEK %s is there twice", kek)
		}
		if kek.Kind == 0 {
			t.Errorf("KEK %s has no kind", kek)
		}
		seen[kek] = true
	}
}

func testRoundTrip(t *testing.T, open Opener) {
	k := open(t)
	for name, s := range map[string]subject{
		"usual":         newSubject(),
		"no key name":   {namespace: "b"},
		"longest names": {namespace: strings.Repeat("n", 255), name: strings.Repeat("k", 1024)},
		"any bytes":     {namespace: "b", name: "\x00\xff\r\n\"{}\\ü"},
	} {
		t.Run(name, func(t *testing.T) { seal(t, k, s).opens(t) })
	}
}

// testFresh wraps one key twice.
func testFresh(t *testing.T, open Opener) {
	k := open(t)
	kek, key, b := first(t, k), newKey(), newSubject().binding(keyring.KEK{})
	var wrapped [2][]byte
	for i := range wrapped {
		var err error
		if wrapped[i], err = k.Wrap(t.Context(), kek, key, b); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(wrapped[i], key[:8]) {
			t.Error("the wrapped key shows the key")
		}
	}
	if bytes.Equal(wrapped[0], wrapped[1]) {
		t.Error("one key wrapped twice gives the same bytes: a nonce is repeated")
	}
}

// testLentSlices checks who owns which bytes.
func testLentSlices(t *testing.T, open Opener) {
	k := open(t)
	s := newSubject()
	s.context = map[string]string{"purpose": "invoices"}
	kek, key := first(t, k), newKey()
	b := s.binding(kek)
	b.AAD = append(make([]byte, 0, len(b.AAD)+2048), b.AAD...) // room that a careless append would use
	spare := b.AAD[:cap(b.AAD)]
	aad, context := bytes.Clone(spare), maps.Clone(b.Context)
	wrapped, err := k.Wrap(t.Context(), kek, key, b)
	if err != nil {
		t.Fatal(err)
	}
	lent := append(make([]byte, 0, len(wrapped)+2048), wrapped...)
	room := lent[:cap(lent)]
	before := bytes.Clone(room)
	if got, err := k.Unwrap(t.Context(), kek, lent, b); err != nil || got != key {
		t.Fatalf("Unwrap: %v, same key: %t", err, got == key)
	}
	if !bytes.Equal(spare, aad) || !maps.Equal(b.Context, context) {
		t.Error("the binding was changed")
	}
	if !bytes.Equal(room, before) {
		t.Error("the wrapped key was changed by Unwrap")
	}
	clear(wrapped) // the caller's, so that nothing else may depend on it
	clear(spare)
	if got, err := k.Unwrap(t.Context(), kek, lent, s.binding(kek)); err != nil || got != key {
		t.Errorf("Unwrap after the caller cleared its slices: %v, same key: %t", err, got == key)
	}
}

func testContext(t *testing.T, open Opener) {
	k := open(t)
	for name, context := range map[string]map[string]string{
		"empty":       {},
		"one pair":    {"purpose": "invoices"},
		"pairs":       {"b": "2", "a": "1", "c": "3"},
		"empty value": {"purpose": ""},
		"any text":    {"Zweck der Übung": "\x00\n\"{}\\"},
		"long":        {"k": strings.Repeat("v", 900)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSubject()
			s.context = context
			w := seal(t, k, s)
			w.opens(t)
			b := s.binding(w.kek)
			b.Context = map[string]string{"what": "Unwrap must not look at"}
			if got, err := k.Unwrap(t.Context(), w.kek, w.wrapped, b); err != nil || got != w.key {
				t.Errorf("Unwrap depends on the binding's context: %v", err)
			}
		})
	}
}

func testBadContext(t *testing.T, open Opener) {
	k := open(t)
	kek := first(t, k)
	for name, context := range map[string]map[string]string{
		"too long":      {"k": strings.Repeat("v", keyring.MaxContext)},
		"empty key":     {"": "v"},
		"key no text":   {"\xff": "v"},
		"value no text": {"k": "\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSubject()
			s.context = context
			key := newKey()
			wrapped, err := k.Wrap(t.Context(), kek, key, s.binding(kek))
			if !errors.Is(err, keyring.ErrContext) || wrapped != nil {
				t.Errorf("Wrap: %d bytes, error %v; want none and %q", len(wrapped), err, keyring.ErrContext)
			}
			hides(t, name, err, key)
		})
	}
}

func testEndedContext(t *testing.T, open Opener) {
	k := open(t)
	w := seal(t, k, newSubject())
	b := w.subject.binding(w.kek)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wrapped, err := k.Wrap(ctx, w.kek, w.key, b)
	endsWith(t, "Wrap", err)
	if wrapped != nil {
		t.Error("Wrap gives bytes with an error")
	}
	got, err := k.Unwrap(ctx, w.kek, w.wrapped, b)
	endsWith(t, "Unwrap", err)
	w.checkRefusal(t, "Unwrap", got, err, nil)
	w.opens(t) // nothing is left behind
}

func testConcurrency(t *testing.T, open Opener) {
	k := open(t)
	shared := seal(t, k, newSubject())
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 8 {
				s := newSubject()
				s.name = fmt.Sprintf("%d/%d", i, j)
				kek, key := k.KEKs()[0], newKey()
				wrapped, err := k.Wrap(t.Context(), kek, key, s.binding(kek))
				if err != nil {
					t.Errorf("Wrap: %v", err)
					return
				}
				sealed{k, kek, s, key, wrapped}.opens(t)
				shared.opens(t)
			}
		})
	}
	group.Wait()
}
