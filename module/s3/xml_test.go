package s3

import (
	"encoding/xml"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeXML(t *testing.T) {
	t.Parallel()
	type doc struct {
		XMLName xml.Name `xml:"D"`
		A       string   `xml:"A"`
	}
	nested := func(n int) string {
		return "<D>" + strings.Repeat("<x>", n-1) + strings.Repeat("</x>", n-1) + "</D>"
	}
	for _, c := range []struct{ name, in, want, err string }{
		{name: "plain", in: "<D><A>x</A></D>", want: "x"},
		{name: "declaration, namespace, space", in: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<D xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><A>x</A></D>\n", want: "x"},
		{name: "byte order mark", in: "\xef\xbb\xbf<?xml version=\"1.0\"?><D><A>x</A></D>", want: "x"},
		{name: "five entities and characters", in: "<D><A>&lt;&amp;&quot;&apos;&gt;&#65;&#x42;</A></D>", want: "<&\"'>AB"},
		{name: "comments", in: "<!-- a --><D><A>x</A></D><!-- b -->", want: "x"},
		{name: "CDATA", in: "<D><A><![CDATA[<&]]></A></D>", want: "<&"},
		{name: "32 levels", in: nested(32)},
		{name: "33 levels", in: nested(33), err: "MalformedXML"},
		{name: "empty", in: "", err: "MalformedXML"},
		{name: "blank", in: " \n", err: "MalformedXML"},
		{name: "text", in: "hello", err: "MalformedXML"},
		{name: "other root", in: "<E/>", err: "MalformedXML"},
		{name: "unclosed", in: "<D><A>x</A>", err: "MalformedXML"},
		{name: "crossed", in: "<D><A></D></A>", err: "MalformedXML"},
		{name: "two roots", in: "<D/><D/>", err: "MalformedXML"},
		{name: "text after", in: "<D/>x", err: "MalformedXML"},
		{name: "text before", in: "x<D/>", err: "MalformedXML"},
		{name: "CDATA after", in: "<D/><![CDATA[]]>", err: "MalformedXML"},
		{name: "end tag after", in: "<D/></x>", err: "MalformedXML"},
		{name: "end and start after", in: "<D/></x><y>", err: "MalformedXML"},
		{name: "DOCTYPE", in: "<!DOCTYPE D><D/>", err: "MalformedXML"},
		{name: "entity declaration", in: "<!DOCTYPE D [<!ENTITY a \"x\">]><D><A>&a;</A></D>", err: "MalformedXML"},
		{name: "unknown entity", in: "<D><A>&nbsp;</A></D>", err: "MalformedXML"},
		{name: "DOCTYPE inside", in: "<D><!DOCTYPE D></D>", err: "MalformedXML"},
		{name: "processing instruction", in: "<D><?php x?></D>", err: "MalformedXML"},
		{name: "second declaration", in: "<D/><?xml version=\"1.0\"?>", err: "MalformedXML"},
		{name: "late declaration", in: "\n<?xml version=\"1.0\"?><D/>", err: "MalformedXML"},
		{name: "other encoding", in: "<?xml version=\"1.0\" encoding=\"UTF-16\"?><D/>", err: "MalformedXML"},
		{name: "not UTF-8", in: "<D><A>\xff</A></D>", err: "MalformedXML"},
		{name: "control character", in: "<D><A>\x01</A></D>", err: "MalformedXML"},
		{name: "repeated attribute", in: "<D a=\"1\" a=\"2\"/>", err: "MalformedXML"},
		{name: "too long", in: "<D>" + strings.Repeat(" ", MaxDocument) + "</D>", err: "MaxMessageLengthExceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var d doc
			err := DecodeXML([]byte(c.in), &d)
			if c.err != "" {
				wantError(t, err, c.err)
				return
			}
			if err != nil || d.A != c.want {
				t.Errorf("got %q, %v; want %q", d.A, err, c.want)
			}
		})
	}
}

func TestParseDelete(t *testing.T) {
	t.Parallel()
	object := func(fields string) string { return "<Delete><Object>" + fields + "</Object></Delete>" }
	many := func(n int) string {
		return "<Delete>" + strings.Repeat("<Object><Key>k</Key></Object>", n) + "</Delete>"
	}
	for _, c := range []struct {
		name, in string
		want     Delete
		err      string
	}{
		{
			name: "two objects",
			in: `<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a%20b</Key></Object>` +
				`<Object><Key> &lt;c&#13; </Key><VersionId>v</VersionId><ETag>"e"</ETag><Size>1</Size><LastModifiedTime>t</LastModifiedTime></Object><Quiet>true</Quiet></Delete>`,
			want: Delete{Quiet: true, Objects: []ObjectIdentifier{{Key: "a%20b"}, {Key: " <c\r ", VersionID: "v", ETag: `"e"`, Size: "1", LastModifiedTime: "t"}}},
		},
		{name: "not quiet", in: "<Delete><Quiet>false</Quiet><Object><Key>k</Key></Object></Delete>", want: Delete{Objects: []ObjectIdentifier{{Key: "k"}}}},
		{name: "empty version", in: object("<Key>k</Key><VersionId/>"), want: Delete{Objects: []ObjectIdentifier{{Key: "k"}}}},
		{name: "comment in a key", in: object("<Key>a<!-- x -->b</Key>"), want: Delete{Objects: []ObjectIdentifier{{Key: "ab"}}}},
		{name: "no objects", in: "<Delete/>", err: "MalformedXML"},
		{name: "1001 objects", in: many(1001), err: "MalformedXML"},
		{name: "no key", in: object("<VersionId>v</VersionId>"), err: "MalformedXML"},
		{name: "empty key", in: object("<Key></Key>"), err: "MalformedXML"},
		{name: "two keys", in: object("<Key>a</Key><Key>b</Key>"), err: "MalformedXML"},
		{name: "two versions", in: object("<Key>a</Key><VersionId>1</VersionId><VersionId>2</VersionId>"), err: "MalformedXML"},
		{name: "empty condition", in: object("<Key>a</Key><ETag/>"), err: "MalformedXML"},
		{name: "unknown condition", in: object("<Key>a</Key><IfColour>red</IfColour>"), err: "MalformedXML"},
		{name: "unknown element", in: "<Delete><Object><Key>k</Key></Object><Force>true</Force></Delete>", err: "MalformedXML"},
		{name: "odd quiet", in: "<Delete><Quiet>yes</Quiet><Object><Key>k</Key></Object></Delete>", err: "MalformedXML"},
		{name: "two quiet", in: "<Delete><Quiet>true</Quiet><Quiet>false</Quiet><Object><Key>k</Key></Object></Delete>", err: "MalformedXML"},
		{name: "long key", in: object("<Key>" + strings.Repeat("k", 1025) + "</Key>"), err: "KeyTooLongError"},
		{name: "other document", in: "<Tagging/>", err: "MalformedXML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseDelete([]byte(c.in))
			if c.err != "" {
				wantError(t, err, c.err)
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, %v; want %+v", got, err, c.want)
			}
			if again, err := ParseDelete(got.XML()); err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("XML reads back as %+v, %v", again, err)
			}
		})
	}
	if d, err := ParseDelete([]byte(many(1000))); err != nil || len(d.Objects) != 1000 {
		t.Errorf("1000 objects: got %d, %v", len(d.Objects), err)
	}
	if got := (ObjectIdentifier{Key: "k", VersionID: "v"}).Action(); got != "s3:DeleteObjectVersion" {
		t.Errorf("got %s", got)
	}
	if got := (ObjectIdentifier{Key: "k"}).Action(); got != "s3:DeleteObject" {
		t.Errorf("got %s", got)
	}
}

func TestParseACL(t *testing.T) {
	t.Parallel()
	grantee := func(inner string) string {
		return `<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>o</ID></Owner><AccessControlList><Grant>` +
			`<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">` + inner + `</Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`
	}
	for _, c := range []struct {
		name, in string
		public   bool
		err      string
	}{
		{"everyone", grantee("<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>"), true, ""},
		{"every account", grantee("<URI>http://acs.amazonaws.com/groups/global/AuthenticatedUsers</URI>"), true, ""},
		{"https, space, case", grantee("<URI>\n https://ACS.amazonaws.com/groups/global/allusers </URI>"), true, ""},
		{"split text", grantee("<URI>http://acs.amazonaws.com/groups/global/All<!-- -->Users</URI>"), true, ""},
		{"elsewhere", "<AccessControlPolicy><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></AccessControlPolicy>", true, ""},
		{"log delivery", grantee("<URI>http://acs.amazonaws.com/groups/s3/LogDelivery</URI>"), false, ""},
		{"user", grantee("<ID>abc</ID>"), false, ""},
		{"name only", grantee("<DisplayName>http://acs.amazonaws.com/groups/global/AllUsers</DisplayName>"), false, ""},
		{"other document", "<Tagging/>", false, "MalformedXML"},
		{"empty", "", false, "MalformedXML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			public, err := ParseACL([]byte(c.in))
			if c.err != "" {
				wantError(t, err, c.err)
			} else if err != nil || public != c.public {
				t.Errorf("got %v, %v; want %v", public, err, c.public)
			}
		})
	}
}

func TestParseCompleteMultipart(t *testing.T) {
	t.Parallel()
	part := func(fields string) string {
		return "<CompleteMultipartUpload><Part>" + fields + "</Part></CompleteMultipartUpload>"
	}
	for _, c := range []struct {
		name, in string
		want     []CompletedPart
		err      string
	}{
		{
			name: "two parts",
			in: `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ETag>&quot;e1&quot;</ETag><PartNumber>1</PartNumber></Part>` +
				"<Part><PartNumber> 10000\n</PartNumber><ETag> e2 </ETag><ChecksumCRC32>AA==</ChecksumCRC32><ChecksumSHA256>BB==</ChecksumSHA256></Part></CompleteMultipartUpload>",
			want: []CompletedPart{{PartNumber: 1, ETag: `"e1"`}, {PartNumber: 10000, ETag: "e2", Checksums: []Detail{{"ChecksumCRC32", "AA=="}, {"ChecksumSHA256", "BB=="}}}},
		},
		{name: "no parts", in: "<CompleteMultipartUpload/>", err: "MalformedXML"},
		{name: "no number", in: part("<ETag>e</ETag>"), err: "MalformedXML"},
		{name: "no ETag", in: part("<PartNumber>1</PartNumber>"), err: "MalformedXML"},
		{name: "two ETags", in: part("<PartNumber>1</PartNumber><ETag>a</ETag><ETag>b</ETag>"), err: "MalformedXML"},
		{name: "part 0", in: part("<PartNumber>0</PartNumber><ETag>a</ETag>"), err: "MalformedXML"},
		{name: "part 10001", in: part("<PartNumber>10001</PartNumber><ETag>a</ETag>"), err: "MalformedXML"},
		{name: "unknown field", in: part("<PartNumber>1</PartNumber><ETag>a</ETag><Colour>red</Colour>"), err: "MalformedXML"},
		{name: "repeated checksum", in: part("<PartNumber>1</PartNumber><ETag>a</ETag><ChecksumCRC32>a</ChecksumCRC32><ChecksumCRC32>b</ChecksumCRC32>"), err: "MalformedXML"},
		{name: "checksum with children", in: part("<PartNumber>1</PartNumber><ETag>a</ETag><ChecksumCRC32><a/></ChecksumCRC32>"), err: "MalformedXML"},
		{
			name: "descending", err: "InvalidPartOrder",
			in: "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>a</ETag></Part><Part><PartNumber>1</PartNumber><ETag>b</ETag></Part></CompleteMultipartUpload>",
		},
		{
			name: "same part twice", err: "InvalidPartOrder",
			in: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part><Part><PartNumber>1</PartNumber><ETag>b</ETag></Part></CompleteMultipartUpload>",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseCompleteMultipart([]byte(c.in))
			if c.err != "" {
				wantError(t, err, c.err)
			} else if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}
