/** What is wrong with something that a log, a witness or a file says: a sentence with what was observed and expected. */
export class LogFault extends Error {
  override readonly name = 'LogFault'
}
