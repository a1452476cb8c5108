import type { Policy, PolicyFile } from '#policy/index.ts'

/** `resource`, or `attestation/ID` with Trustee's ids: `attestation/default_cpu`. */
export type PolicyName = 'resource' | `attestation/${string}`

/** One version of a policy: never changed once it is there. */
export interface PolicyVersion {
  readonly name: PolicyName
  /** 1 and on. */
  readonly version: number
  readonly files: readonly PolicyFile[]
  /** Of the compiled policy. */
  readonly digest: string
  readonly at: Date
  /** Who set it (`user:ada`). */
  readonly by: string
  /** The version that was in force before it; absent for the first. */
  readonly replaces?: number
  /** The version whose files these are again, where it was rolled back. */
  readonly rollbackOf?: number
}

/** A version as it is asked: compiled once. */
export interface ActivePolicy {
  readonly name: PolicyName
  readonly version: number
  readonly policy: Policy
}

/** Policies by name and version, in the broker's state: one of each name is in force. */
export interface PolicyBook {
  /**
   * The one in force, or undefined where there is none (which denies). A change by this process counts at once, one
   * by another replica within `refreshMs`.
   */
  active(name: PolicyName, signal?: AbortSignal): Promise<ActivePolicy | undefined>
  names(signal?: AbortSignal): Promise<readonly PolicyName[]>
  /** One version, the one in force where it is not said. @throws POLICY_NOT_FOUND */
  read(name: PolicyName, version?: number, signal?: AbortSignal): Promise<PolicyVersion>
  /** Newest first. Versions beside those that were in force are of processes that were killed. */
  versions(name: PolicyName, signal?: AbortSignal): Promise<readonly PolicyVersion[]>
  /** Compiles, adds a version and puts it in force. @throws what compiling throws; POLICY_NAME_INVALID, POLICY_BUSY */
  set(
    name: PolicyName,
    files: readonly PolicyFile[],
    by: string,
    at: Date,
    signal?: AbortSignal,
  ): Promise<PolicyVersion>
  /** Puts the files of an earlier version (the one before, where it is not said) in force again, as a new version. */
  rollback(
    name: PolicyName,
    to: number | undefined,
    by: string,
    at: Date,
    signal?: AbortSignal,
  ): Promise<PolicyVersion>
}
