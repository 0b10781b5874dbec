"""Three libvirt nodes on one machine, in namespaces: for tests and demonstrations."""
