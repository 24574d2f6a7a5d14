package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

var leafDocuments = []string{
	`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><IsTruncated>false</IsTruncated>` +
		`<Contents><Key>a&amp;b &#x41;</Key><ETag>&quot;e&quot;</ETag><Size>5</Size><Owner><ID>1</ID></Owner></Contents>` +
		`<Contents><Key>c</Key><ETag>"f-2"</ETag><Size>7</Size></Contents></ListBucketResult>`,
	"<a>\n  <b> x </b>\n  <c  at='>' >y</c ></a>",
	`<s3:A xmlns:s3="u"><s3:B>1</s3:B></s3:A>`,
	`<a><!-- <b>no</b> --><b><![CDATA[<x>]]></b></a>`,
	`<a><b>1</b>text<b></b></a>`,
	"\xef\xbb\xbf<a><b>1</b></a>",
}

func leaves(read func([]byte, func(leaf)) error, doc string) ([]string, error) {
	var out []string
	err := read([]byte(doc), func(l leaf) {
		out = append(out, fmt.Sprintf("%s %q %q %q %d", strings.Join(l.path, "/"), l.text, doc[l.start:l.end], doc[l.outer.start:l.outer.end], l.entry))
	})
	return out, err
}

// The scanner tells what encoding/xml does.
func TestEachLeaf(t *testing.T) {
	t.Parallel()
	for _, doc := range leafDocuments {
		want, err := leaves(decodeLeaves, doc)
		got, err2 := leaves(eachLeaf, doc)
		if err != nil || err2 != nil || !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s\n got %v %v\nwant %v %v", doc, got, err2, want, err)
		}
	}
	for _, doc := range []string{"<a>", "<a><b></a></b>", "<a><", "</a>", "<>", "<a><b x='</b></a>"} {
		if got, err := leaves(eachLeaf, doc); err == nil {
			t.Errorf("%s is taken: %v", doc, got)
		}
	}
}

func FuzzEachLeaf(f *testing.F) {
	for _, doc := range leafDocuments {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		got, err := leaves(eachLeaf, doc)
		want, err2 := leaves(decodeLeaves, doc)
		if err == nil && err2 == nil && !slices.Equal(got, want) {
			t.Errorf("%q\n got %v\nwant %v", doc, got, want)
		}
	})
}

func TestTranslateListing(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	b.put("/bucket/all/x", pattern(1000))
	b.put("/bucket/mixed/x", pattern(70_000))
	doc := "<ListBucketResult>"
	for _, key := range []string{"all/x", "mixed/x", "plain"} {
		if key == "plain" {
			b.put("/bucket/plain", pattern(92))
		}
		o := store.at("/bucket/" + key)
		doc += fmt.Sprintf("<Contents><Key>%s</Key><ETag>%s</ETag><ChecksumType>FULL</ChecksumType><Size>%d</Size></Contents>", key, strings.ReplaceAll(o.etag, `"`, "&quot;"), len(o.body))
	}
	doc += "</ListBucketResult>"
	store.listing = doc
	a := b.get("/bucket?list-type=2")
	for _, want := range []string{"<Size>1000</Size>", "<Size>70000</Size>", "<Size>92</Size>"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %d %s", want, a.StatusCode, a.body)
		}
	}
	if n := strings.Count(a.body, "-0&#34;"); n != 2 || strings.Count(a.body, "ChecksumType") != 2 {
		t.Errorf("%d sealed ETags: %s", n, a.body)
	}
	if again := store.since(func() { b.get("/bucket?list-type=2") }); len(again) != 1 {
		t.Errorf("what was looked at is looked at again: %v", again)
	}
}
