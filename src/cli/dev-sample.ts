/** The page of the policy repository that `vouchsafe dev` makes: what may be tried with it while the service runs. */

export interface DevPage {
  /** As `npm start` prints it. */
  readonly directory: string
  readonly agent: string
}

/** README.md. Commands are those of the project's own folder, from where `npm start` runs. */
export function devReadme({ directory, agent }: DevPage): string {
  const dev = `agents/dev/${agent}.yaml`
  const prod = `agents/prod/${agent}.yaml`
  return `# dev-policy

Made by \`vouchsafe dev\` with the keys in \`${directory}/keys\`, and kept from one start to the next. The running service looks
at it every few seconds, and takes a commit only if its parent's trust files say that its signer may make it. What the watched agent
loads is named in \`measurements/\`: with another Node it is another list, which the next start commits, as long as nobody else did.
\`curl -s http://127.0.0.1:8080/readyz\` shows what it holds; docs/policy.md in Vouchsafe is the whole guide.

From the folder in which \`npm start\` runs:

\`\`\`sh
cd ${directory}/policy
\`\`\`

## A signed change is accepted

\`git commit\` signs as alice here (see \`.git/config\`; it needs ssh-keygen). Her role is enough for ${dev}:

\`\`\`sh
sed -i -e 's/measurement: sha384:..../measurement: sha384:0000/' -e 's/generation: .*/generation: 101/' ${dev}
git commit -am "another digest for dev"
npx vouchsafe policy verify
\`\`\`

## An unsigned one is refused, and what was accepted stays in force

\`\`\`sh
sed -i 's/generation: .*/generation: 102/' ${dev}
git commit --no-gpg-sign -am "nobody signed this"
npx vouchsafe policy verify          # UnknownSigner
git reset --hard HEAD^               # the branch goes on from what was accepted
\`\`\`

## Production needs two

\`\`\`sh
sed -i -e 's/measurement: sha384:..../measurement: sha384:0000/' -e 's/generation: .*/generation: 101/' ${prod}
git commit -am "another digest for production"
npx vouchsafe policy verify          # ApprovalMissing: bob is needed
npx vouchsafe policy approve ${prod} --key ../keys/bob
git add approvals && git commit -m "approved by bob"
npx vouchsafe policy verify
\`\`\`

Now \`${agent}\` is refused at its next attestation: nothing runs with that digest. \`git revert\` does not bring the old one
back, because a generation never goes down: put the old digest into generation 102, and let bob approve that.
`
}
