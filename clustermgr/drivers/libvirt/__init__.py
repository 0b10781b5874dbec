"""The libvirt driver: the only package that imports libvirt, and only once a libvirt host is connected to."""
