/**
 * What a run tool as root keeps: what Docker leaves to its containers, but for raw sockets. It may own files, be
 * another user, bind low ports, change its root; it may not mount, trace, load modules, set the clock or change
 * the network.
 */
export const keptCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'MKNOD',
  'AUDIT_WRITE',
  'SETFCAP',
] as const

/** Parts of /proc that show or change the machine. */
export const maskedPaths = [
  'kcore',
  'keys',
  'key-users',
  'timer_list',
  'latency_stats',
  'sched_debug',
  'scsi',
] as const
export const readOnlyPaths = ['sys', 'sysrq-trigger', 'irq', 'bus', 'fs'] as const
