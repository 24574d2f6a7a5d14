package keyring

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// ring is a keyring that has keys and does nothing.
type ring struct {
	Keyring
	keks []KEK
}

func (r *ring) KEKs() []KEK { return r.keks }

func kek(kind Kind, id byte) KEK { return KEK{kind, [8]byte{id}} }

func TestNewSetRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		members []Member
		want    error // nil: any
	}{
		"KEK in two keyrings":    {[]Member{{"a", &ring{keks: []KEK{kek(Local, 1), kek(Local, 2)}}}, {"b", &ring{keks: []KEK{kek(Local, 2)}}}}, ErrDuplicate},
		"KEK twice in one":       {[]Member{{"a", &ring{keks: []KEK{kek(Local, 1), kek(Local, 1)}}}}, ErrDuplicate},
		"name twice":             {[]Member{{"a", &ring{keks: []KEK{kek(Local, 1)}}}, {"a", &ring{keks: []KEK{kek(Local, 2)}}}}, ErrDuplicate},
		"no key":                 {[]Member{{"a", &ring{}}}, nil},
		"no name":                {[]Member{{"", &ring{keks: []KEK{kek(Local, 1)}}}}, nil},
		"name with a space":      {[]Member{{"a b", &ring{keks: []KEK{kek(Local, 1)}}}}, nil},
		"name with another dash": {[]Member{{"a–b", &ring{keks: []KEK{kek(Local, 1)}}}}, nil},
		"long name":              {[]Member{{strings.Repeat("a", 65), &ring{keks: []KEK{kek(Local, 1)}}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := NewSet(tc.members)
			if err == nil || s != nil || (tc.want != nil && !errors.Is(err, tc.want)) {
				t.Errorf("NewSet = %v, %v; want %v", s, err, tc.want)
			}
		})
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	main := &ring{keks: []KEK{kek(Local, 1), kek(Local, 2)}}
	payments := &ring{keks: []KEK{kek(KMS, 1), kek(KMSIntermediate, 1)}} // an id of another kind is another key
	members := []Member{{"main", main}, {"payments", payments}}
	s, err := NewSet(members)
	if err != nil {
		t.Fatal(err)
	}
	members[0].Name = "changed by the caller"
	if got := s.Names(); !slices.Equal(got, []string{"main", "payments"}) {
		t.Errorf("Names() = %v", got)
	}
	if k, err := s.Lookup("payments"); err != nil || k != payments {
		t.Errorf("Lookup = %v, %v", k, err)
	}
	if k, err := s.Lookup("Payments"); !errors.Is(err, ErrUnknownKeyring) || k != nil {
		t.Errorf("Lookup = %v, %v", k, err)
	}
	for name, tc := range map[string]struct {
		kek     KEK
		allowed []string
		want    string
		err     error
	}{
		"first":                {kek(Local, 1), []string{"main"}, "main", nil},
		"old key":              {kek(Local, 2), []string{"payments", "main"}, "main", nil},
		"other kind":           {kek(KMSIntermediate, 1), []string{"payments"}, "payments", nil},
		"another is allowed":   {kek(Local, 1), []string{"payments"}, "", ErrNotAllowed},
		"none is allowed":      {kek(Local, 1), nil, "", ErrNotAllowed},
		"unknown id":           {kek(Local, 3), []string{"main", "payments"}, "", ErrUnknownKey},
		"unknown kind":         {kek(Transit, 1), []string{"main", "payments"}, "", ErrUnknownKey},
		"allowed, not a name":  {kek(Local, 1), []string{"mai", "main2", ""}, "", ErrNotAllowed},
		"allowed, not defined": {kek(Local, 3), []string{"gone"}, "", ErrUnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			got, k, err := s.Find(tc.kek, tc.allowed)
			if !errors.Is(err, tc.err) || got != tc.want || (k == nil) != (tc.want == "") {
				t.Errorf("Find = %q, %v, %v; want %q, %v", got, k, err, tc.want, tc.err)
			}
		})
	}
	t.Run("keys that change", func(t *testing.T) {
		main.keks = []KEK{kek(Local, 3), kek(Local, 1)}
		if name, _, err := s.Find(kek(Local, 3), []string{"main"}); err != nil || name != "main" {
			t.Errorf("added key: Find = %q, %v", name, err)
		}
		if _, _, err := s.Find(kek(Local, 2), []string{"main"}); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("removed key: %v", err)
		}
		payments.keks = append(payments.keks, kek(Local, 3))
		for _, allowed := range [][]string{{"main"}, {"payments"}, {"main", "payments"}} {
			if _, k, err := s.Find(kek(Local, 3), allowed); !errors.Is(err, ErrDuplicate) || k != nil {
				t.Errorf("key in two keyrings, %v allowed: %v", allowed, err)
			}
		}
	})
}
