// Google's own Go clients against the simulator. The first argument names a scenario, the environment the addresses.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// patience is how long a scenario may take.
const patience = time.Minute

// found is what a scenario saw, printed as JSON.
type found map[string]any

var scenarios = map[string]func(context.Context) (found, error){
	"metadata":         metadata,
	"impersonated":     impersonated,
	"credentials_file": credentialsFile,
	"pull":             pull,
	"push":             push,
	"list":             list,
	"pages":            pages,
	"walk":             walk,
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(name string) error {
	scenario, known := scenarios[name]
	if !known {
		return fmt.Errorf("no scenario is called %q", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seen, err := scenario(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(seen)
}
