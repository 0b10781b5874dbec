# Boot sector of the lab's small guests. Once every EVERY timer ticks (18.2 a second) it counts on COM1, so that
# a reader sees whether the guest ever started again. At each tick it writes one word to PAGES pages of a
# window of WINDOW MiB, so that a live migration has something to copy twice. With POWER it obeys the ACPI
# power button. Symbols come from `as --defsym`.
    .intel_syntax noprefix
    .code16
    .globl start
start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    in al, 0x92                 # A20 on
    or al, 2
    out 0x92, al
    lgdt [gdt_register]         # 4 GiB limit for ES, then back to real mode
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov es, bx
    and al, 0xfe
    mov cr0, eax
    xor bx, bx
    mov es, bx
    mov edi, 0x100000
.if POWER
    mov dx, 0x602               # PIIX4 PM1 enable: power button
    mov ax, 0x100
    out dx, ax
.endif
wait_tick:
    sti
    hlt
    mov ax, [0x46c]             # BIOS tick count
    cmp ax, [last_tick]
    je wait_tick
    mov [last_tick], ax
.if POWER
    mov dx, 0x600               # PM1 status: was the power button pressed?
    in ax, dx
    test ah, 1
    jnz power_off
.endif
.if PAGES
    mov cx, PAGES
next_page:
    inc dword ptr es:[edi]
    add edi, 4096
    cmp edi, 0x100000 + WINDOW * 0x100000
    jb inside_window
    mov edi, 0x100000
inside_window:
    loop next_page
.endif
    dec word ptr [ticks_left]
    jnz wait_tick
    mov word ptr [ticks_left], EVERY
    inc dword ptr [counter]
    mov ebx, [counter]
    mov cx, 8
next_digit:
    rol ebx, 4
    mov al, bl
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe print_digit
    add al, 39                  # 'a' - '9' - 1
print_digit:
    call print
    loop next_digit
    mov al, 10
    call print
    jmp wait_tick

print:
    mov dx, 0x3f8
    out dx, al
    ret

.if POWER
power_off:
    mov dx, 0x604               # PM1 control: sleep type S5, sleep enable
    mov ax, 0x2000
    out dx, ax
    hlt
    jmp power_off
.endif

last_tick:  .word 0
ticks_left: .word 1
counter:    .long 0
gdt:
    .quad 0
    .quad 0x00cf92000000ffff
gdt_register:
    .word 15
    .long gdt
    .org 510
    .word 0xaa55
