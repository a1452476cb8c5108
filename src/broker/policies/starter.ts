import type { PolicyFile } from '#policy/index.ts'
import type { PolicyName } from './types.ts'

const resource = `# Who gets what. \`input\` are the claims of the guest's token, \`data\` says what is asked for:
#   data.plugin             resource, nebula-ca, pki, ...
#   data["resource-path"]   ["default", "key", "one"]
#   data.query              {"name": "node-1"}
#   data.request            all of the above, and what the plugin adds (facts of a resource, a node's name and address)
# What nothing here allows is denied.
package policy

import rego.v1

default allow := false

allow if {
	data.plugin in {"resource", "nebula-ca", "pki"}
	attested
}

# Evidence of every part of the guest was held against reference values, and nothing was found wanting.
attested if {
	count(input.submods) > 0
	every submod in input.submods {
		submod["ear.status"] == "affirming"
	}
}

# A client certificate of this broker's own PKI stands for a guest that was attested when it was issued. To take it
# in place of a session, say what it may have:
# allow if {
# 	data.plugin == "resource"
# 	data["resource-path"][0] == "default"
# 	input.certificate
# }
`

const cpu = `# What evidence of a CPU is worth (AR4SI: 2 and 3 are good, 32 and on are warnings, 96 and on are contraindications).
# A claim counts only where a reference value says so: \`sealift broker reference set\`.
package policy

import rego.v1

# Nothing is known of the software, the hardware and its settings until it is said.
default executables := 33

default hardware := 97

default configuration := 36

# The sample TEE is no TEE. Its evidence can be made by anybody: for trying alone.
hardware := 2 if input.sample.svn in query_reference_value("svn")

executables := 3 if input.sample.launch_digest in query_reference_value("launch_digest")

configuration := 2 if {
	input.sample
	input.sample.debug == false
}

trust_claims := {
	"executables": executables,
	"hardware": hardware,
	"configuration": configuration,
}
`

const device = (
  kind: string,
) => `# What evidence of a ${kind} beside the CPU is worth. Nothing yet: say which is good, as in default_cpu.
package policy

import rego.v1

default hardware := 97

hardware := 2 if input.sampledevice.svn in query_reference_value("sampledevice_svn")

trust_claims := {"hardware": hardware}
`

/** The policies that a new broker has: nothing is released before somebody says what is good. */
export const starterPolicies: ReadonlyMap<PolicyName, readonly PolicyFile[]> = new Map([
  ['resource', [{ path: 'resource.rego', text: resource }]],
  ['attestation/default_cpu', [{ path: 'default_cpu.rego', text: cpu }]],
  ['attestation/default_gpu', [{ path: 'default_gpu.rego', text: device('GPU') }]],
] satisfies [PolicyName, readonly PolicyFile[]][])
