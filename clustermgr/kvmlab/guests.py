"""The lab's virtual machines: what they are, where they start, and their libvirt XML."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from clustermgr.kvmlab.image import Program
from clustermgr.kvmlab.layout import CSV, DISK, SUBNET, accelerator, node_folder

QUIET = Program()
#: Counts nine times a second and rewrites 96 MiB at about 20 MiB/s: moved at 40 MiB/s, it takes some seconds.
BUSY = Program(ticks_per_count=2, window_mib=96, pages_per_tick=300)
DEAF = Program(obeys_power_button=False)


@dataclass(frozen=True, slots=True)
class Guest:
    name: str
    number: int  # makes the UUID and the addresses
    node: int
    program: Program | None = field(default=QUIET)  # None: Linux with the guest agent
    memory_mib: int = 16
    running: bool = True
    volume: str = CSV
    notes: str = ""

    @property
    def uuid(self) -> str:
        return f"7e570000-0000-4000-9000-{self.number:012d}"

    @property
    def disk(self) -> str:
        return f"{node_folder(self.volume)}/{self.name}.qcow2"

    @property
    def serial(self) -> str:
        return f"{node_folder(CSV)}/console/{self.name}.log"


GUESTS = (
    Guest("counter", 1, 1, BUSY, 128, notes="Counts on its serial console; never goes back while it runs."),
    Guest("web01", 2, 1, None, 128, notes="Linux with the guest agent and a web page."),
    Guest("app01", 3, 2, None, 128, notes="Linux with the guest agent and a web page."),
    Guest("dns01", 4, 2),
    Guest("dhcp01", 5, 3),
    Guest("batch01", 6, 3, DEAF, notes="Does not hear the power button."),
    Guest("test01", 7, 2, running=False),
    Guest("db01", 8, 1, running=False, volume=DISK, notes="On the cluster disk."),
)
COUNTER = GUESTS[0]


def domain_xml(guest: Guest) -> str:
    boot, extra = ("<boot dev='hd'/>", "") if guest.program else (_linux_boot(guest), _linux_devices(guest))
    return f"""<domain type='{accelerator()}'>
  <name>{guest.name}</name>
  <uuid>{guest.uuid}</uuid>
  <description>{guest.notes}</description>
  <memory unit='MiB'>{guest.memory_mib}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>{boot}</os>
  <features><acpi/><apic/></features>
  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file={quoteattr(guest.disk)}/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='file'><source path={quoteattr(guest.serial)} append='on'/></serial>
    {extra}
  </devices>
</domain>
"""


def _linux_boot(guest: Guest) -> str:
    folder = f"{node_folder(CSV)}/boot"
    line = f"console=ttyS0 quiet hostname={guest.name} address={SUBNET}.{100 + guest.number}/24"
    return f"<kernel>{folder}/vmlinuz</kernel><initrd>{folder}/initramfs.gz</initrd><cmdline>{line}</cmdline>"


def _linux_devices(guest: Guest) -> str:
    mac = f"52:54:00:77:00:{guest.number:02x}"
    return (
        f"<interface type='network'><mac address='{mac}'/><source network='lan'/>"
        "<model type='virtio'/></interface>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        "<memballoon model='virtio'><stats period='5'/></memballoon>"
    )


def network_xml(bridge: str) -> str:
    return f"<network><name>lan</name><forward mode='bridge'/><bridge name='{bridge}'/></network>"


def pool_xml(name: str) -> str:
    return f"<pool type='dir'><name>{name}</name><target><path>{node_folder(name)}</path></target></pool>"
