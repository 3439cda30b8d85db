#!/usr/bin/env bash
# virtualcam_vm.sh - run a command inside a throw-away Linux VM that has real
# video devices: v4l2loopback (virtual cameras) and, on request, vivid (a test
# webcam), uinput, snd-aloop, uvcvideo ...
#
# Why: v4l2loopback is an out-of-tree kernel module.  CI machines and containers
# often cannot load modules at all (no CONFIG_MODULES, no root, containers), so
# the virtual-camera output could never be tested there.  This script boots a
# stock Debian kernel in QEMU (KVM when usable, else plain emulation) on top of
# the *host's own file system*, so the command sees the same Python, virtual
# environment and sources as on the host, plus /dev/video*.
#
#   virtualcam_vm.sh [options] -- COMMAND [ARG...]
#
# The command runs as root in the caller's current directory.  Its stdout and
# stderr are streamed to ours and its exit status becomes ours.  Its environment
# says IN_VM_VIRTUALCAM=1, and how it can load the driver again after removing it:
# VM_VIRTUALCAM_DRIVER (the .ko file) and VM_VIRTUALCAM_CAMERAS (its arguments).
#
# Options
#   --mount DIR[:ro|:rw]  share a host folder by 9p at the same path (default ro).
#                         With :rw what the command writes there stays on the host.
#   --camera LABEL        one v4l2loopback device; repeatable; /dev/video0, 1, ...
#                         (default: one, labelled "VirtualCam")
#   --no-exclusive-caps   v4l2loopback with exclusive_caps=0 (default 1: the device
#                         shows as a capture device only while something feeds it,
#                         which browsers require)
#   --driver SUITE        take v4l2loopback's source from that Debian suite, e.g.
#                         trixie (0.15); default: the host's (Debian 12: 0.12.7)
#   --module "NAME ARGS"  load another module, e.g. --module "vivid n_devs=1"; repeatable
#   --env NAME[=VALUE]    pass an environment variable; repeatable
#   --cwd DIR             working directory (default: the current one)
#   --timeout SECONDS     stop the VM after that long (default 300); exit status 124
#   --mem MIB             guest memory (default 3072)
#   --smp N               guest processors (default: the host's, at most 4)
#   --accel kvm|tcg|auto  default auto
#   --net                 user-mode network (default: loopback only)
#   --cache DIR           where kernel and module are kept
#                         (default ${XDG_CACHE_HOME:-~/.cache}/vm_virtualcam)
#   --no-install          never call apt-get; fail if something is missing
#   --prepare             only build the cache, run nothing
#   --log FILE            keep the guest's kernel log there
#   -v, --verbose         print steps and timings, and the kernel log live
#
# Everything else of the host's file system is visible read-only; what the
# command writes outside a ":rw" mount goes to guest memory and is lost.
#
# Exit status: the command's own; 124 time ran out; 125 the VM could not be set
# up or died without an answer (the end of the kernel log is printed then).

set -euo pipefail

# ------------------------------------------------------------------ arguments
die()  { echo "vm_virtualcam: $*" >&2; exit 125; }
say()  { [ "$verbose" = 0 ] || printf 'vm_virtualcam: [%6.1fs] %s\n' "$(elapsed)" "$*" >&2; }
now()  { date +%s.%N; }
elapsed() { awk -v a="$started" -v b="$(now)" 'BEGIN{printf "%.1f", b-a}'; }
usage() { sed -n '2,/^$/{s/^# \{0,1\}//;p}' "$0"; }

started=$(now)
verbose=0 timeout=300 mem=3072 accel=auto net=0 install=1 prepare=0 exclusive=1 suite=host
log='' cwd=$PWD
smp=$(nproc); [ "$smp" -le 4 ] || smp=4
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vm_virtualcam
mounts=() cameras=() modules=() envs=()

need_arg() { [ $# -ge 2 ] || die "$1 needs an argument"; }
while [ $# -gt 0 ]; do
  case $1 in
    --mount)   need_arg "$@"; mounts+=("$2"); shift 2 ;;
    --camera)  need_arg "$@"; cameras+=("$2"); shift 2 ;;
    --module)  need_arg "$@"; modules+=("$2"); shift 2 ;;
    --env)     need_arg "$@"; envs+=("$2"); shift 2 ;;
    --cwd)     need_arg "$@"; cwd=$2; shift 2 ;;
    --timeout) need_arg "$@"; timeout=$2; shift 2 ;;
    --mem)     need_arg "$@"; mem=$2; shift 2 ;;
    --smp)     need_arg "$@"; smp=$2; shift 2 ;;
    --accel)   need_arg "$@"; accel=$2; shift 2 ;;
    --cache)   need_arg "$@"; cache=$2; shift 2 ;;
    --log)     need_arg "$@"; log=$2; shift 2 ;;
    --driver)  need_arg "$@"; suite=$2; shift 2 ;;
    --no-exclusive-caps) exclusive=0; shift ;;
    --net)        net=1; shift ;;
    --no-install) install=0; shift ;;
    --prepare)    prepare=1; shift ;;
    -v|--verbose) verbose=1; shift ;;
    -h|--help)    usage; exit 0 ;;
    --) shift; break ;;
    -*) die "unknown option $1 (see --help)" ;;
    *)  break ;;
  esac
done
[ "$prepare" = 1 ] || [ $# -gt 0 ] || { usage >&2; exit 125; }
[ ${#cameras[@]} -gt 0 ] || cameras=(VirtualCam)
[ "$(uname -m)" = x86_64 ] || die "only x86-64 hosts are supported"
mkdir -p "$cache"; cache=$(cd "$cache" && pwd -P)

# ------------------------------------------------------------------- packages
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
apt_ready=0
apt_update() {
  [ "$apt_ready" = 1 ] || as_root apt-get -qq -o DPkg::Lock::Timeout=600 update || true
  apt_ready=1
}
want_program() { # PROGRAM PACKAGE: install PACKAGE when PROGRAM is missing
  PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 && return 0
  [ "$install" = 1 ] || die "$1 is missing (apt-get install $2)"
  say "installing $2"
  apt_update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 \
    install -y --no-install-recommends "$2" >"$cache/apt.log" 2>&1 \
    || die "apt-get install $2 failed, see $cache/apt.log"
}
depends_on() { # PACKAGE PATTERN: the first dependency of PACKAGE matching PATTERN
  apt-cache depends "$1" | sed -n 's/^ *Depends: //p' | grep -xE -m1 "$2" || true
}

# ------------------------------------- kernel, driver, initramfs (all cached)
# $cache/KERNEL-VERSION/ is finished when it holds the file "ready".
#   vmlinux, initramfs.gz         what QEMU boots
#   busybox, modules/VERSION/     what the guest's first process uses
#   driver-SUITE/v4l2loopback.ko  the driver, from that Debian suite's source
#   src/                          the kernel's headers, to build the driver
# The kernel is only unpacked, never installed: the host is left as it was.
build_kernel() {
  [ "$install" = 1 ] || die "no kernel in $cache and --no-install was given"
  want_program depmod kmod
  want_program cpio cpio
  apt_update
  local version headers common kbuild compiler
  version=$(depends_on linux-image-amd64 'linux-image-.*-amd64'); version=${version#linux-image-}
  [ -n "$version" ] || die "apt knows no linux-image-amd64 (Debian's packages are needed)"
  headers=linux-headers-$version
  common=$(depends_on "$headers" 'linux-headers-.*-common')
  kbuild=$(depends_on "$headers" 'linux-kbuild-.*')
  compiler=$(depends_on "$headers" 'linux-compiler-.*')

  kernel=$cache/$version
  rm -rf "$kernel"; mkdir -p "$kernel/debs" "$kernel/src" "$kernel/modules" "$kernel/tree/lib"
  say "downloading kernel $version and its headers"
  (cd "$kernel/debs" && apt-get -qq download "linux-image-$version" "$headers" "$common" \
     "$kbuild" ${compiler:+"$compiler"} busybox-static) 2>"$cache/apt.log" \
    || die "download failed, see $cache/apt.log"
  local deb; for deb in "$kernel"/debs/*.deb; do dpkg-deb -x "$deb" "$kernel/src"; done

  cp "$(find "$kernel/src" -path '*/bin/busybox' -type f)" "$kernel/busybox"
  local unpacked=$kernel/src/lib/modules/$version                              # Debian 12
  [ -d "$unpacked/kernel" ] || unpacked=$kernel/src/usr/lib/modules/$version   # later
  mv "$unpacked" "$kernel/modules/"
  rm -f "$kernel/modules/$version"/{build,source}
  # leave out bulky drivers no camera test needs; later Debians compress the rest
  (cd "$kernel/modules/$version/kernel/drivers" &&
     rm -rf gpu/drm/{amd,i915,nouveau,radeon} infiniband scsi staging iio net/{ethernet,wireless})
  if [ -n "$(find "$kernel/modules" -name '*.ko.xz' -print -quit)" ]; then
    want_program xz xz-utils
    find "$kernel/modules" -name '*.ko.xz' -print0 | xargs -0 -P "$(nproc)" -n 100 xz -d
  fi
  ln -s ../../modules "$kernel/tree/lib/modules"
  depmod -b "$kernel/tree" "$version"

  # Unpacking itself costs an emulated kernel many seconds: do it here, once.
  # QEMU boots the plain ELF file through its PVH entry point.
  python3 - "$kernel/src/boot/vmlinuz-$version" "$kernel/vmlinux" 2>/dev/null <<'PY' \
    || cp "$kernel/src/boot/vmlinuz-$version" "$kernel/vmlinux"
import lzma, sys
data = open(sys.argv[1], "rb").read()
kernel = lzma.LZMADecompressor().decompress(data[data.index(b"\xfd7zXZ\x00"):])
assert kernel[:4] == b"\x7fELF"
open(sys.argv[2], "wb").write(kernel)
PY
  # The header packages name each other by absolute paths below /usr: point
  # them into the unpacked tree.
  local src=$kernel/src/usr/src link target
  { grep -rIlE '/usr/(src|lib)/linux-' "$src/$headers" "$src/$common/Makefile" \
      --include=Makefile --include='*.mk' --include=.kernelvariables || true; } |
    xargs -r sed -i -E "s#/usr/(src|lib)/linux-#$kernel/src/usr/\1/linux-#g"
  for link in "$src/$headers"/{scripts,tools} "$src/$common"/{scripts,tools}; do
    [ -L "$link" ] || continue
    target=$(readlink "$link")
    case $target in /usr/*) ln -sfn "$kernel/src$target" "$link" ;; esac
  done
  rm -rf "$kernel/debs" "$kernel/src/boot" "$kernel/src/usr/share" "$kernel/src/lib"
  echo "$version" >"$kernel/ready"
}

pick_kernel() { # the newest finished kernel in the cache
  kernel=$(ls -td "$cache"/*/ready 2>/dev/null | head -n1 || true); kernel=${kernel%/ready}
}

build_driver() { # into $driver, from the source package of the wanted suite
  driver=$kernel/driver-$suite
  [ ! -e "$driver/v4l2loopback.ko" ] || return 0
  [ "$install" = 1 ] || die "no driver in $driver and --no-install was given"
  want_program gcc gcc
  want_program make make
  rm -rf "$driver" "$driver.part"; mkdir -p "$driver.part"
  local options=()
  if [ "$suite" = host ]; then
    apt_update
  else # another Debian suite: package lists of our own, the host's stay as they are
    local key=/usr/share/keyrings/debian-archive-keyring.gpg apt=$cache/apt-$suite
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    local mirror; mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m1 '/debian/\?$')
    [ -n "$mirror" ] || { apt_update; mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -m1 '/debian/\?$'); }
    [ -n "$mirror" ] || die "the host's apt sources name no Debian mirror"
    echo "deb [signed-by=$key] $mirror $suite main" >"$apt/sources.list"
    options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
             -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache")
    apt-get -qq "${options[@]}" update || die "cannot read the package lists of $suite"
  fi
  say "building v4l2loopback (suite: $suite)"
  (cd "$driver.part" && apt-get -qq "${options[@]}" download v4l2loopback-dkms) \
    2>"$cache/apt.log" || die "download failed, see $cache/apt.log"
  dpkg-deb -x "$driver.part"/*.deb "$driver.part/src"
  local source; source=$(echo "$driver.part"/src/usr/src/v4l2loopback-*)
  make -C "$kernel/src/usr/src/linux-headers-$(cat "$kernel/ready")" M="$source" modules \
    >"$driver.part/build.log" 2>&1 || { cat "$driver.part/build.log" >&2; die "v4l2loopback did not build"; }
  cp "$source/v4l2loopback.ko" "$driver.part/"
  echo "${source##*-}" >"$driver.part/version"
  rm -rf "$driver.part/src" "$driver.part"/*.deb; mv "$driver.part" "$driver"
}

# The initramfs holds busybox, the modules needed to reach the host's files and
# the guest_init below; it is rebuilt whenever this script is newer.
boot_modules="virtio_pci virtio_console virtio_rng 9pnet_virtio 9p overlay"
build_initramfs() {
  local image=$kernel/initramfs.gz dir name file
  [ -e "$image" ] && [ "$image" -nt "$0" ] && return 0
  want_program cpio cpio
  dir=$(mktemp -d "$cache/initramfs.XXXXXX")
  mkdir -p "$dir"/{bin,dev,proc,sys,mnt,modules}
  cp "$kernel/busybox" "$dir/bin/busybox"; ln -s busybox "$dir/bin/sh"
  for name in $boot_modules; do # each after those it depends on
    PATH=$PATH:/usr/sbin:/sbin modprobe -d "$kernel/tree" -S "$(cat "$kernel/ready")" \
      --show-depends "$name" 2>/dev/null || true
  done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r file; do
    cp "$file" "$dir/modules/"; basename "$file" >>"$dir/modules/order"
  done
  [ -s "$dir/modules/order" ] || die "could not resolve the boot modules"
  guest_init >"$dir/init"; chmod +x "$dir/init"
  (cd "$dir" && find . -print0 | cpio --null -o -H newc --quiet | gzip -1) >"$image.part"
  mv "$image.part" "$image"; rm -rf "$dir"
}

# ------------------------------------------------------- what the guest runs
guest_init() { cat <<'INIT'
#!/bin/sh
# First process of the guest (busybox).  Mounts the host's files under an
# overlay, loads the drivers, runs the command, reports its status, powers off.
export PATH=/bin
B=/bin/busybox
$B mount -t devtmpfs dev /dev
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
for m in $($B cat /modules/order); do $B insmod /modules/$m || echo "init: insmod $m failed"; done
P=trans=virtio,version=9p2000.L,msize=512000
fail() { echo "init: $*" >/dev/kmsg; $B sync; $B poweroff -f; }
$B mkdir -p /mnt/low /mnt/ctl /mnt/tmp /mnt/root
$B mount -t 9p -o $P,ro,cache=loose host /mnt/low || fail "cannot mount the host's files"
$B mount -t 9p -o $P,cache=none ctl /mnt/ctl || fail "cannot mount the control folder"
$B mount -t tmpfs -o size=75% tmpfs /mnt/tmp
$B mkdir -p /mnt/tmp/up /mnt/tmp/work
$B mount -t overlay -o lowerdir=/mnt/low,upperdir=/mnt/tmp/up,workdir=/mnt/tmp/work overlay /mnt/root \
  || fail "cannot mount the overlay"
R=/mnt/root
. /mnt/ctl/config          # KERNEL, DRIVER: cache folders; CAMERAS: arguments; NET
for d in proc sys dev run; do $B mkdir -p $R/$d; done
$B mount -t proc proc $R/proc
$B mount -t sysfs sys $R/sys
$B mount -t devtmpfs dev $R/dev
$B mount -t tmpfs -o mode=755 tmpfs $R/run
$B mkdir -p $R/run/ctl $R/dev/shm $R/dev/pts
$B mount -t tmpfs -o mode=1777 tmpfs $R/dev/shm
$B mount -t devpts devpts $R/dev/pts
$B mount --bind /mnt/ctl $R/run/ctl
$B ln -sf /proc/self/fd $R/dev/fd
$B ln -sf /proc/self/fd/0 $R/dev/stdin
$B ln -sf /proc/self/fd/1 $R/dev/stdout
$B ln -sf /proc/self/fd/2 $R/dev/stderr
$B ip link set lo up
$B hostname vm

# drivers, from the cache folder as the guest sees it
L=/lib; [ -L $R/lib ] && L=/usr/lib
$B mkdir -p $R$L/modules /lib
$B mount --bind /mnt/low$KERNEL/modules $R$L/modules
$B ln -s /mnt/low$KERNEL/modules /lib/modules
$B modprobe videodev || fail "modprobe videodev"
$B insmod /mnt/low$DRIVER/v4l2loopback.ko $CAMERAS || fail "insmod v4l2loopback $CAMERAS"
while read -r m; do
  $B modprobe $m || fail "modprobe $m"
done </mnt/ctl/modules
$B chmod a+rw $R/dev/video* $R/dev/uinput 2>/dev/null
if [ "$NET" = 1 ]; then # QEMU's user-mode network; the host itself is 10.0.2.2
  $B modprobe virtio_net || fail "modprobe virtio_net"
  $B ip link set eth0 up
  $B ip addr add 10.0.2.15/24 dev eth0
  $B ip route add default via 10.0.2.2
  $B rm -f $R/etc/resolv.conf; echo nameserver 10.0.2.3 >$R/etc/resolv.conf
fi
while read -r tag mode dir; do
  $B mkdir -p "$R$dir"
  c=loose; [ $mode = rw ] && c=mmap
  $B mount -t 9p -o $P,$mode,cache=$c $tag "$R$dir" || fail "cannot mount $dir"
done </mnt/ctl/mounts

# stdout and stderr travel through two virtio ports
out=/dev/null; err=/dev/null
for p in /sys/class/virtio-ports/*; do
  case $($B cat $p/name) in
    out) out=/dev/${p##*/} ;;
    err) err=/dev/${p##*/} ;;
  esac
done
$B mkfifo /mnt/tmp/out /mnt/tmp/err
$B cat /mnt/tmp/out >$out & a=$!
$B cat /mnt/tmp/err >$err & b=$!
$B cut -d' ' -f1 /proc/uptime >/mnt/ctl/booted
$B chroot $R /bin/bash /run/ctl/command </dev/null >/mnt/tmp/out 2>/mnt/tmp/err
rc=$?
$B cut -d' ' -f1 /proc/uptime >/mnt/ctl/ended
echo $rc >/mnt/ctl/rc
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do # for the last output; a
  kill -0 $a 2>/dev/null || kill -0 $b 2>/dev/null || break       # process left behind may
  $B sleep 0.1                                                    # still hold it open
done
$B sync
$B poweroff -f
INIT
}

# ---------------------------------------------------------------- preparation
want_program qemu-system-x86_64 qemu-system-x86
exec 9>"$cache/lock"; flock 9          # one run at a time builds
pick_kernel
[ -n "$kernel" ] || build_kernel
build_driver
build_initramfs
flock -u 9; exec 9>&-
say "kernel $(cat "$kernel/ready"), v4l2loopback $(cat "$driver/version")"
if [ "$prepare" = 1 ]; then exit 0; fi

case $accel in
  auto) # the processor flags too: some sandboxes offer a /dev/kvm that runs no stock kernel
    if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accel=kvm; else accel=tcg; fi ;;
  kvm|tcg) ;;
  *) die "--accel is kvm, tcg or auto" ;;
esac

# ------------------------------------------------------------ control folder
ctl=$(mktemp -d "${TMPDIR:-/tmp}/vm_virtualcam.XXXXXX")
qemu_pid='' reader_pids=()
cleanup() {
  [ -z "$qemu_pid" ] || kill "$qemu_pid" 2>/dev/null || true
  [ ${#reader_pids[@]} = 0 ] || kill "${reader_pids[@]}" 2>/dev/null || true
  rm -rf "$ctl"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

share=$ctl/share; mkdir "$share"
labels=$(IFS=,; echo "${cameras[*]}"); numbers=''; caps=''
for i in "${!cameras[@]}"; do
  case ${cameras[$i]} in
    ''|*[!A-Za-z0-9._-]*) die "camera label '${cameras[$i]}': letters, digits, . _ - only" ;;
  esac
  numbers+="${numbers:+,}$i"; caps+="${caps:+,}$exclusive"
done
loopbacks="devices=${#cameras[@]} video_nr=$numbers card_label=$labels exclusive_caps=$caps"
{
  printf 'KERNEL=%q\nDRIVER=%q\n' "$kernel" "$driver"
  echo "NET=$net"
  echo "CAMERAS='$loopbacks'"
} >"$share/config"
: >"$share/modules"
[ ${#modules[@]} = 0 ] || printf '%s\n' "${modules[@]}" >"$share/modules"

virtfs=(-virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"
        -virtfs "local,path=$share,mount_tag=ctl,security_model=none,multidevs=remap")
: >"$share/mounts"
for i in "${!mounts[@]}"; do
  entry=${mounts[$i]} mode=ro
  case $entry in *:ro|*:rw) mode=${entry##*:}; entry=${entry%:*} ;; esac
  dir=$(cd "$entry" 2>/dev/null && pwd -P) || die "--mount $entry: no such folder"
  virtfs+=(-virtfs "local,path=${dir//,/,,},mount_tag=m$i,security_model=none,multidevs=remap$([ "$mode" = rw ] || echo ,readonly=on)")
  echo "m$i $mode $dir" >>"$share/mounts"
done

{ # the command, with the caller's search path and a few harmless variables
  echo 'cd "$(cat /run/ctl/cwd)" || exit 125'
  for name in PATH HOME LANG LC_ALL VIRTUAL_ENV PYTHONPATH; do
    [ -z "${!name-}" ] || printf 'export %s=%q\n' "$name" "${!name}"
  done
  echo 'export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TERM=dumb IN_VM_VIRTUALCAM=1'
  printf 'export VM_VIRTUALCAM_DRIVER=%q VM_VIRTUALCAM_CAMERAS=%q\n' "$driver/v4l2loopback.ko" "$loopbacks"
  for entry in "${envs[@]}"; do
    case $entry in
      *=*) printf 'export %s=%q\n' "${entry%%=*}" "${entry#*=}" ;;
      *)   printf 'export %s=%q\n' "$entry" "${!entry-}" ;;
    esac
  done
  printf '%q ' "$@"; echo
} >"$share/command"
printf '%s' "$cwd" >"$share/cwd"

# ------------------------------------------------------------------------ run
kernel_log=${log:-$ctl/kernel.log}; : >"$kernel_log"
mkfifo "$ctl/out" "$ctl/err"
cat "$ctl/out" & reader_pids+=($!)
cat "$ctl/err" >&2 & reader_pids+=($!)
if [ "$verbose" = 1 ]; then tail -n +1 -f "$kernel_log" >&2 & reader_pids+=($!); fi

cpu=max,la57=off; [ "$accel" = kvm ] && cpu=host
acceleration=$accel; [ "$accel" = tcg ] && acceleration=tcg,thread=multi,tb-size=512
nic=(-nic none); [ "$net" = 0 ] || nic=(-nic "user,model=virtio-net-pci")
say "starting QEMU ($accel, $smp processors, $mem MiB)"
qemu-system-x86_64 -machine q35,sata=off,smbus=off,usb=off -accel "$acceleration" -cpu "$cpu" \
  -smp "$smp" -m "$mem" -nodefaults -no-user-config -no-reboot -display none \
  -kernel "$kernel/vmlinux" -initrd "$kernel/initramfs.gz" \
  -append "console=ttyS0 panic=-1 quiet loglevel=4 tsc=reliable clocksource=tsc mitigations=off random.trust_cpu=on nokaslr" \
  -serial "file:$kernel_log" \
  -device virtio-serial-pci \
  -chardev "file,id=out,path=$ctl/out" -device virtserialport,chardev=out,name=out \
  -chardev "file,id=err,path=$ctl/err" -device virtserialport,chardev=err,name=err \
  -object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng \
  "${nic[@]}" "${virtfs[@]}" </dev/null 2>"$ctl/qemu.log" &
qemu_pid=$!

deadline=$(( $(date +%s) + timeout )) timed_out=0
while kill -0 "$qemu_pid" 2>/dev/null; do
  if [ "$(date +%s)" -ge "$deadline" ]; then timed_out=1; kill "$qemu_pid" 2>/dev/null || true; break; fi
  sleep 0.2
done
wait "$qemu_pid" 2>/dev/null || true
qemu_pid=''
for _ in {1..20}; do # until the last output has been copied
  kill -0 "${reader_pids[@]:0:2}" 2>/dev/null || break
  sleep 0.1
done
say "the VM has ended: command started at $(cat "$share/booted" 2>/dev/null || echo '-') s of guest time, ended at $(cat "$share/ended" 2>/dev/null || echo '-') s"

if [ -s "$share/rc" ]; then exit "$(cat "$share/rc")"; fi
if [ "$timed_out" = 1 ]; then
  echo "vm_virtualcam: stopped after $timeout s" >&2; status=124
else
  echo "vm_virtualcam: the VM died without an answer" >&2; status=125
fi
{ cat "$ctl/qemu.log"; echo "--- end of the kernel log:"; tail -n 25 "$kernel_log"; } >&2
exit "$status"
