package site.rules.text

deny contains "no" if input.resource.key == "boom"
