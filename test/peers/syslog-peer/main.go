// The peer of src/gate/export: reads syslog messages with octet counting (RFC 5425) from standard input with a public
// parser of RFC 5424, and prints each as JSON; it fails where one of them is not strictly right.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc5424"
)

func main() {
	out := json.NewEncoder(os.Stdout)
	failed := false
	octetcounting.NewParser(syslog.WithListener(func(result *syslog.Result) {
		if result.Error != nil {
			fmt.Fprintln(os.Stderr, "syslog-peer:", result.Error)
			failed = true
			return
		}
		message := result.Message.(*rfc5424.SyslogMessage)
		if err := out.Encode(message); err != nil {
			fmt.Fprintln(os.Stderr, "syslog-peer:", err)
			failed = true
		}
	}), syslog.WithMaxMessageLength(1<<20)).Parse(os.Stdin)
	if failed {
		os.Exit(1)
	}
}
