import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  POLICY_SYNTAX: {
    meaning: 'A file of a policy is not Rego, or its rules do not fit together.',
    remedy: 'Look at the line and column that the message names, and try again with `sealift policy check`.',
  },
  POLICY_DATA_INVALID: {
    meaning: 'A data file of a policy is not JSON, or two of them contradict each other.',
    remedy:
      'Data files hold one JSON object each; the same key may stand in two of them only with one value.',
  },
  POLICY_RULE_MISSING: {
    meaning: 'No file of the policy declares the rule that is asked for a decision.',
    remedy: 'Declare the rule `decision` in the package `sealift`, or name another one.',
  },
  POLICY_FORBIDDEN: {
    meaning: 'A policy calls a function that reaches beyond its evidence: the network, or chance.',
    remedy:
      'Give the policy what it needs as evidence or data; a decision must be the same when it is replayed.',
  },
  POLICY_TOO_LARGE: {
    meaning: 'A policy has more files or bytes than the limit, or takes more work to compile.',
    remedy: 'Split the policy, or keep its data out of it.',
  },
  POLICY_EMPTY: {
    meaning: 'There is no policy where one was looked for.',
    remedy: 'Name a trust policy (YAML) or a folder with *.rego files; `sealift policy init` writes one.',
  },
  POLICY_ENGINE_FAILED: {
    meaning:
      'The engine that evaluates policies could not be started, or gave up for a reason of this machine.',
    remedy: 'Install Sealift again if its files are damaged; report it otherwise.',
  },
  TRUST_POLICY_INVALID: {
    meaning: 'A trust policy is not YAML of the form that docs/trust-policy.md describes.',
    remedy: 'Look at the line that the message names; `sealift policy init` writes one that is right.',
  },
  POLICY_BUDGET: {
    meaning:
      'A decision took more instructions than it may, or nested its rules too deeply: the answer is no.',
    remedy: 'Simplify the policy: look for rules that combine every element with every other.',
  },
  POLICY_MEMORY: {
    meaning: 'A decision took more memory than it may: the answer is no.',
    remedy: 'Simplify the policy, or give it less evidence at once.',
  },
  POLICY_FAILED: {
    meaning: 'A rule of the policy failed while it was evaluated: the answer is no.',
    remedy:
      'Look at the line and column that the reason names; `sealift policy test` reproduces it without content.',
  },
  POLICY_UNDEFINED: {
    meaning: 'The rule that is asked has no value for this evidence: the answer is no.',
    remedy: 'Give the rule a default.',
  },
  POLICY_RESULT_INVALID: {
    meaning: 'The rule that is asked yields something that is not a decision: the answer is no.',
    remedy:
      'Let it yield {"allow": true or false, "reasons": [{"code", "message"}], "outputs", "valid_until"}.',
  },
} as const satisfies CodeTable

/** @see failures */
export const failure = failures(codes)
