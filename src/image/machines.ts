import type { Elf } from './elf.ts'

/** A processor under the names that the parts of the system have for it. */
export interface Machine {
  /** OCI's architecture, which is Go's GOARCH. */
  readonly architecture: string
  /** Debian's multiarch directory. */
  readonly triplet: string
  /** What the dynamic linker puts for $PLATFORM. */
  readonly platform: string
}

const machines: Readonly<Record<string, Machine>> = {
  '62/64/le': { architecture: 'amd64', triplet: 'x86_64-linux-gnu', platform: 'x86_64' },
  '62/32/le': { architecture: 'amd64', triplet: 'x86_64-linux-gnux32', platform: 'x86_64' },
  '183/64/le': { architecture: 'arm64', triplet: 'aarch64-linux-gnu', platform: 'aarch64' },
  '3/32/le': { architecture: '386', triplet: 'i386-linux-gnu', platform: 'i686' },
  '40/32/le': { architecture: 'arm', triplet: 'arm-linux-gnueabihf', platform: 'v7l' },
  '243/64/le': { architecture: 'riscv64', triplet: 'riscv64-linux-gnu', platform: 'riscv64' },
  '258/64/le': { architecture: 'loong64', triplet: 'loongarch64-linux-gnu', platform: 'loongarch64' },
  '21/64/le': { architecture: 'ppc64le', triplet: 'powerpc64le-linux-gnu', platform: 'powerpc64le' },
  '21/64/be': { architecture: 'ppc64', triplet: 'powerpc64-linux-gnu', platform: 'powerpc64' },
  '22/64/be': { architecture: 's390x', triplet: 's390x-linux-gnu', platform: 's390x' },
}

/** `undefined` for processors that are not known here (gABI e_machine). */
export function machineOf({ machine, bits, littleEndian }: Elf): Machine | undefined {
  return machines[`${machine}/${bits}/${littleEndian ? 'le' : 'be'}`]
}

/** Whether the dynamic linker would load the one into the other's process. */
export function sameMachine(a: Elf, b: Elf): boolean {
  return a.machine === b.machine && a.bits === b.bits && a.littleEndian === b.littleEndian
}

/** OCI's name of the processor that this process runs on. */
export function hostArchitecture(arch: string = process.arch): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }
  return names[arch] ?? arch
}
