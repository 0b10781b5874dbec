#!/bin/busybox sh
# First process of the lab's Linux guest: drivers, network, guest agent, a web page, the power button.
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /www /usr/local/var/run; mount -t devpts pts /dev/pts
for module in virtio_pci virtio_blk virtio_net virtio_console virtio_balloon virtio-rng button evdev; do
    modprobe $module 2>/dev/null
done
for word in $(cat /proc/cmdline); do
    case $word in
        address=*) address=${word#address=} ;;
        hostname=*) hostname "${word#hostname=}" ;;
        dirty=*) dirty=${word#dirty=} ;;
    esac
done
ip link set lo up
[ -e /sys/class/net/eth0 ] && ip link set eth0 up && [ -n "$address" ] && ip addr add "$address" dev eth0

printf '#!/bin/sh\nfor w in "$@"; do case $w in -r) exec reboot -f;; -H) exec halt -f;; esac; done\nexec poweroff -f\n' > /sbin/shutdown
printf '#!/bin/sh\nexec poweroff -f\n' > /etc/acpi/PWRF/00000080
chmod +x /sbin/shutdown /etc/acpi/PWRF/00000080
printf 'event=button/power.*\naction=/etc/acpi/PWRF/00000080\n' > /etc/acpi/PWRF.conf
acpid -d >/dev/null 2>&1 &

hostname > /www/index.html
httpd -p 80 -h /www
nc -ll -p 7 -e cat &  # says back what it hears: a client can tell for how long it did not

start_agent() {  # the port gets its name a little after its driver
    for try in $(seq 50); do
        for port in /sys/class/virtio-ports/*; do
            if [ "$(cat "$port/name" 2>/dev/null)" = org.qemu.guest_agent.0 ]; then
                exec qemu-ga -m virtio-serial -p "/dev/${port##*/}" -f /run/qga.pid -t /run
            fi
        done
        usleep 200000
    done
}
start_agent 2>/dev/console &
echo "LAB-BOOTED $(cut -d' ' -f1 /proc/uptime)" > /dev/console

if [ -n "$dirty" ]; then  # rewrite that many MiB of memory again and again, with pauses
    while :; do dd if=/dev/urandom of=/tmp/dirty bs=1M count="$dirty" 2>/dev/null; usleep 500000; done &
fi
exec setsid cttyhack sh
