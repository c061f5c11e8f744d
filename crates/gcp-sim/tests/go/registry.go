package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/google"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// pull reads an image of two platforms to its last byte.
func pull(ctx context.Context) (found, error) {
	reference, err := name.ParseReference(os.Getenv("IMAGE"))
	if err != nil {
		return nil, err
	}
	head, err := remote.Head(reference, access(ctx)...)
	if err != nil {
		return refusal(err)
	}
	index, err := remote.Index(reference, access(ctx)...)
	if err != nil {
		return nil, err
	}
	digest, err := index.Digest()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var platforms []string
	bytes := int64(0)
	for _, child := range manifest.Manifests {
		platforms = append(platforms, child.Platform.String())
		image, err := index.Image(child.Digest)
		if err != nil {
			return nil, err
		}
		size, err := bytesOf(image)
		if err != nil {
			return nil, err
		}
		bytes += size
	}
	return found{"same": digest == head.Digest, "platforms": platforms, "bytes": bytes}, nil
}

// bytesOf reads the layers of an image. The client checks each digest.
func bytesOf(image v1.Image) (int64, error) {
	layers, err := image.Layers()
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, layer := range layers {
		reader, err := layer.Compressed()
		if err != nil {
			return 0, err
		}
		size, err := io.Copy(io.Discard, reader)
		reader.Close()
		if err != nil {
			return 0, err
		}
		total += size
	}
	return total, nil
}

// push writes a new image and reads its digest back.
func push(ctx context.Context) (found, error) {
	reference, err := name.ParseReference(os.Getenv("IMAGE"))
	if err != nil {
		return nil, err
	}
	image, err := random.Image(4096, 2)
	if err != nil {
		return nil, err
	}
	if err := remote.Write(reference, image, access(ctx)...); err != nil {
		return refusal(err)
	}
	written, err := image.Digest()
	if err != nil {
		return nil, err
	}
	head, err := remote.Head(reference, access(ctx)...)
	if err != nil {
		return nil, err
	}
	return found{"same": head.Digest == written}, nil
}

// list reads tags, manifests and images below, as Google's extension gives them.
func list(ctx context.Context) (found, error) {
	repository, err := name.NewRepository(os.Getenv("REPOSITORY"))
	if err != nil {
		return nil, err
	}
	tags, err := google.List(repository, listing(ctx)...)
	if err != nil {
		return refusal(err)
	}
	manifests := []found{}
	for _, manifest := range tags.Manifests {
		manifests = append(manifests, found{
			"created":  manifest.Created.UTC(),
			"uploaded": manifest.Uploaded.UTC(),
			"type":     manifest.MediaType,
			"sized":    manifest.Size > 0,
			"tags":     manifest.Tags,
		})
	}
	return found{"name": tags.Name, "tags": tags.Tags, "children": tags.Children, "manifests": manifests}, nil
}

// pages follows the links from one page of tags to the next.
func pages(ctx context.Context) (found, error) {
	repository, err := name.NewRepository(os.Getenv("REPOSITORY"))
	if err != nil {
		return nil, err
	}
	tags, err := remote.List(repository, access(ctx)...)
	if err != nil {
		return refusal(err)
	}
	different := map[string]bool{}
	for _, tag := range tags {
		different[tag] = true
	}
	return found{"tags": len(tags), "different": len(different)}, nil
}

// walk goes down from a repository to all of its images.
func walk(ctx context.Context) (found, error) {
	root, err := name.NewRepository(os.Getenv("REPOSITORY"))
	if err != nil {
		return nil, err
	}
	images := map[string]int{}
	note := func(repository name.Repository, tags *google.Tags, err error) error {
		if err == nil {
			images[repository.RepositoryStr()] = len(tags.Tags)
		}
		return err
	}
	if err := google.Walk(root, note, listing(ctx)...); err != nil {
		return refusal(err)
	}
	return found{"images": images}, nil
}

func access(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(google.Keychain),
		remote.WithTransport(loopback),
	}
}

func listing(ctx context.Context) []google.Option {
	return []google.Option{
		google.WithContext(ctx),
		google.WithAuthFromKeychain(google.Keychain),
		google.WithTransport(loopback),
	}
}

// refusal is what the client makes of an answer that is none; other errors stay errors.
func refusal(err error) (found, error) {
	var refused *transport.Error
	if !errors.As(err, &refused) || len(refused.Errors) == 0 {
		return nil, err
	}
	first := refused.Errors[0]
	return found{"status": refused.StatusCode, "code": first.Code, "message": first.Message}, nil
}
