/** What the agent may do. This is the file that `npm start` changes under it. */
export function booking(invoice) {
  return { path: '/bookings', body: { account: '4711', invoice } }
}
