// Command opa is Open Policy Agent, cut down to what the tests need of it:
//
//	opa serve POLICY.rego              its REST API on a free port of 127.0.0.1, whose address it prints
//	opa build POLICY.rego MODULE.wasm  what `opa build -t wasm` puts into a bundle, each rule an entrypoint
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/logging"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/server"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "opa:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "serve":
		return serve(ctx, arguments[1])
	case len(arguments) == 3 && arguments[0] == "build":
		return build(ctx, arguments[1], arguments[2])
	}
	return errors.New("usage: opa serve POLICY.rego | opa build POLICY.rego MODULE.wasm")
}

func serve(ctx context.Context, policy string) error {
	source, err := os.ReadFile(policy)
	if err != nil {
		return err
	}
	store := inmem.New()
	manager, err := plugins.New(nil, "tests", store, plugins.Logger(logging.NewNoOpLogger()))
	if err != nil {
		return err
	}
	if err := manager.Start(ctx); err != nil {
		return err
	}
	if err := storage.Txn(ctx, store, storage.WriteParams, func(txn storage.Transaction) error {
		return store.UpsertPolicy(ctx, txn, policy, source)
	}); err != nil {
		return err
	}
	served, err := server.New().
		WithStore(store).
		WithManager(manager).
		Init(ctx)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, served.Handler)
}

func build(ctx context.Context, policy, output string) error {
	output, err := filepath.Abs(output)
	if err != nil {
		return err
	}
	// The path of the source is written into the module, which must be the same wherever it is made.
	if err := os.Chdir(filepath.Dir(policy)); err != nil {
		return err
	}
	policy = filepath.Base(policy)
	source, err := os.ReadFile(policy)
	if err != nil {
		return err
	}
	module, err := ast.ParseModule(policy, string(source))
	if err != nil {
		return err
	}
	var entrypoints []string
	for _, rule := range module.Rules {
		// Without `data`, with the package.
		entrypoint, err := rule.Ref().GroundPrefix().Ptr()
		if err != nil {
			return err
		}
		entrypoints = append(entrypoints, entrypoint)
	}
	compiler := compile.New().
		WithTarget(compile.TargetWasm).
		WithPaths(policy).
		WithEntrypoints(entrypoints...)
	if err := compiler.Build(ctx); err != nil {
		return err
	}
	modules := compiler.Bundle().WasmModules
	if len(modules) != 1 {
		return fmt.Errorf("%d modules came of %s, where one was expected", len(modules), policy)
	}
	return os.WriteFile(output, modules[0].Raw, 0o644)
}
