package clients

import (
	"bytes"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// clientList returns the sequence under "clients", adding one where there is
// none. root is a document that parse accepted.
func clientList(root *yaml.Node) (*yaml.Node, error) {
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return nil, errOwnHand
	}
	top := root.Content[0]
	list := field(top, "clients")
	switch {
	case list == nil:
		list = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		top.Content = append(top.Content, scalar("!!str", "clients"), list)
	case list.Kind == yaml.ScalarNode && list.Tag == "!!null":
		*list = yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", HeadComment: list.HeadComment, LineComment: list.LineComment, FootComment: list.FootComment}
	case list.Kind != yaml.SequenceNode:
		return nil, errOwnHand
	}
	if len(list.Content) == 0 {
		list.Style &^= yaml.FlowStyle // "[]" becomes a list with a line an entry
	}
	return list, nil
}

// setBool sets a field of one entry.
func setBool(item *yaml.Node, name string, to bool) error {
	if item.Kind != yaml.MappingNode {
		return errOwnHand
	}
	text := strconv.FormatBool(to)
	v := field(item, name)
	switch {
	case v == nil && to:
		item.Content = append(item.Content, scalar("!!str", name), scalar("!!bool", text))
	case v == nil:
	case v.Kind != yaml.ScalarNode || v.Anchor != "":
		return errOwnHand
	default:
		v.Tag, v.Value, v.Style = "!!bool", text, 0
	}
	return nil
}

// field returns the value of a key of a mapping, nil if it is not there.
func field(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func render(root *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
