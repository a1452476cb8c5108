// The peer of src/log: reads a log in the tlog-tiles format with the public libraries of that format, and writes one.
//
//	tlog-peer read DIR ORIGIN VKEY [-witness VKEY] [-older FILE]
//	tlog-peer make DIR SKEY COUNT [-witnesses POLICY-FILE]
//
// read verifies the checkpoint's signatures, that every entry is included (with Tessera's client and merkle, and again
// with golang.org/x/mod/sumdb/tlog), and that the log continues the older checkpoint; it prints the size and, of each
// entry, its bytes in hexadecimal. make writes a log with Tessera's POSIX storage whose entries are "entry N",
// its checkpoints cosigned by the witnesses of the policy.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	formats "github.com/transparency-dev/formats/log"
	cosignature "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	run := map[string]func([]string) error{"read": read, "make": write}
	if len(os.Args) < 5 || run[os.Args[1]] == nil {
		fail(fmt.Errorf("usage: tlog-peer read|make ..."))
	}
	if err := run[os.Args[1]](os.Args[2:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "tlog-peer:", err)
	os.Exit(1)
}

func read(args []string) error {
	options := flag.NewFlagSet("read", flag.ExitOnError)
	witness := options.String("witness", "", "the verifier key of a witness that must have cosigned")
	older := options.String("older", "", "a checkpoint that the log must continue")
	if err := options.Parse(args[3:]); err != nil {
		return err
	}
	directory, origin := args[0], args[1]
	key, err := note.NewVerifier(args[2])
	if err != nil {
		return err
	}
	ctx := context.Background()
	files := client.FileFetcher{Root: directory}
	checkpoint, raw, _, err := client.FetchCheckpoint(ctx, files.ReadCheckpoint, key, origin)
	if err != nil {
		return err
	}
	if *witness != "" {
		known, err := cosignature.NewVerifierForCosignatureV1(*witness)
		if err != nil {
			return err
		}
		if _, err := note.Open(raw, note.VerifierList(known)); err != nil {
			return fmt.Errorf("the witness: %w", err)
		}
	}
	builder, err := client.NewProofBuilder(ctx, checkpoint.Size, files.ReadTile)
	if err != nil {
		return err
	}
	if *older != "" {
		if err := continues(ctx, builder, *checkpoint, *older, origin, key); err != nil {
			return err
		}
	}
	fmt.Println(checkpoint.Size)
	return entries(ctx, files, builder, *checkpoint)
}

func continues(ctx context.Context, builder *client.ProofBuilder, now formats.Checkpoint, file, origin string, key note.Verifier) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	old, _, _, err := formats.ParseCheckpoint(raw, origin, key)
	if err != nil {
		return err
	}
	hashes, err := builder.ConsistencyProof(ctx, old.Size, now.Size)
	if err != nil {
		return err
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, now.Size, hashes, old.Hash, now.Hash); err != nil {
		return err
	}
	return tlog.CheckTree(treeProof(hashes), int64(now.Size), tlog.Hash(now.Hash), int64(old.Size), tlog.Hash(old.Hash))
}

func entries(ctx context.Context, files client.FileFetcher, builder *client.ProofBuilder, checkpoint formats.Checkpoint) error {
	for index := uint64(0); index < checkpoint.Size; {
		bundle, err := client.GetEntryBundle(ctx, files.ReadEntryBundle, index/256, checkpoint.Size)
		if err != nil {
			return err
		}
		for _, entry := range bundle.Entries {
			hashes, err := builder.InclusionProof(ctx, index)
			if err != nil {
				return err
			}
			leaf := rfc6962.DefaultHasher.HashLeaf(entry)
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, checkpoint.Size, leaf, hashes, checkpoint.Hash); err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
			err = tlog.CheckRecord(treeProof(hashes), int64(checkpoint.Size), tlog.Hash(checkpoint.Hash), int64(index), tlog.RecordHash(entry))
			if err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
			fmt.Println(hex.EncodeToString(entry))
			index++
		}
	}
	return nil
}

func treeProof(hashes [][]byte) []tlog.Hash {
	proof := make([]tlog.Hash, len(hashes))
	for at, hash := range hashes {
		proof[at] = tlog.Hash(hash)
	}
	return proof
}

func write(args []string) error {
	signer, err := note.NewSigner(args[1])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("make", flag.ExitOnError)
	policy := flags.String("witnesses", "", "a policy file that names the witnesses to ask")
	if err := flags.Parse(args[3:]); err != nil {
		return err
	}
	ctx := context.Background()
	driver, err := posix.New(ctx, posix.Config{Path: args[0]})
	if err != nil {
		return err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(100*time.Millisecond).
		WithBatching(100, 20*time.Millisecond)
	if *policy != "" {
		text, err := os.ReadFile(*policy)
		if err != nil {
			return err
		}
		witnesses, err := tessera.NewWitnessGroupFromPolicy(text)
		if err != nil {
			return err
		}
		options.WithWitnesses(witnesses, &tessera.WitnessOptions{Timeout: 10 * time.Second})
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 50*time.Millisecond)
	futures := make([]tessera.IndexFuture, count)
	for at := range futures {
		futures[at] = appender.Add(ctx, tessera.NewEntry([]byte(fmt.Sprintf("entry %d", at))))
	}
	for _, future := range futures {
		if _, _, err := awaiter.Await(ctx, future); err != nil {
			return err
		}
	}
	return shutdown(ctx)
}
