/** Programs that run tools of tests use. */
export const hostPrograms = ['sh', 'cat', 'id', 'ls', 'ln', 'mkdir', 'sleep', 'env', 'readlink'].map(
  (name) => ({
    from: name === 'sh' ? '/bin/sh' : `/usr/bin/${name}`,
    to: `/bin/${name}`,
  }),
)
