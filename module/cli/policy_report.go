package cli

import (
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"

	"github.com/sealgate/sealgate/module/gateway"
	"github.com/sealgate/sealgate/policy/lint"
)

// reportFormats are what a check can be written as.
var reportFormats = map[string]func(io.Writer, checkReport) error{
	"text":  writeCheckText,
	"json":  func(w io.Writer, r checkReport) error { return printJSON(w, r) },
	"sarif": writeSARIF,
	"junit": writeJUnit,
}

// The parts of SARIF 2.1.0 that are needed (OASIS, sarif-schema-2.1.0.json).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID lint.Code `json:"id"`
	}
	sarifResult struct {
		RuleID    lint.Code       `json:"ruleId"`
		Level     lint.Level      `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region sarifRegion `json:"region"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn"`
	}
)

func writeSARIF(w io.Writer, r checkReport) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: BinaryName, Version: gateway.Version(), Rules: []sarifRule{}}
	listed := map[lint.Code]bool{}
	for _, p := range r.Problems {
		if !listed[p.Code] {
			listed[p.Code] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{p.Code})
		}
		result := sarifResult{RuleID: p.Code, Level: p.Level, Message: sarifMessage{sentence(p)}, Locations: []sarifLocation{}}
		if p.File != "" {
			var at sarifLocation
			at.Physical.Artifact.URI = filepath.ToSlash(p.File)
			at.Physical.Region = sarifRegion{max(1, p.Row), max(1, p.Col)}
			result.Locations = append(result.Locations, at)
		}
		run.Results = append(run.Results, result)
	}
	return printJSON(w, sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// sentence is a problem without its place.
func sentence(p lint.Problem) string {
	if p.Fix == "" {
		return p.Message
	}
	return p.Message + "; " + p.Fix
}

// The form of test results that continuous integration reads.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a case for every file without a problem and for every problem.
func writeJUnit(w io.Writer, r checkReport) error {
	suite := junitSuite{Name: "sealgate policy check"}
	wrong := map[string]bool{}
	for _, p := range r.Problems {
		wrong[p.File] = true
		suite.Failures++
		suite.Cases = append(suite.Cases, junitCase{
			Class: p.File, Name: fmt.Sprintf("%s %d:%d", p.Code, p.Row, p.Col),
			Failure: &junitFailure{Type: string(p.Level), Message: p.Message, Text: p.String()},
		})
	}
	for _, file := range append(r.Files, r.Posture) {
		if file != "" && !wrong[file] {
			suite.Cases = append(suite.Cases, junitCase{Class: file, Name: "check"})
		}
	}
	suite.Tests = len(suite.Cases)
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}
