/** The log that the replicas of the test append to. */
export const origin = 'log.example/replicas'
