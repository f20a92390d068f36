"""What will the network see of the records? `preview` draws training crops."""
