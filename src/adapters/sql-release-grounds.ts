/**
 * What does a release rest on in the moment in which it is kept? CTEs that hold the rows until the commit, so that whoever
 * revokes or changes one of them comes before or after, and never between.
 *
 * Every CTE of a statement sees the database as it was when the statement began; but READ COMMITTED reads a row that it
 * locks again as it is by then (PostgreSQL's manual, 13.2.1), also when it waited for whoever changed it. So what may change
 * is read from rows that are locked, and from nothing else.
 *
 * Not `for share`: those who share a row let in others who share it, and whoever wants to revoke would wait as long as there
 * are any. For a row that one alone may hold all stand in one queue. Only versions are shared, by those who hold the row of
 * their resource already.
 *
 * In one order for everybody, so that nobody waits in a circle: agents' sessions by id, tokens by jti, then resources, then
 * versions, then proofs.
 * Each `count(*)` is there for that: it makes the rows before it be locked first, all of them.
 */

/**
 * `from`: a CTE with `jti`, `session`, `tenant`, `resource` and `version`. Makes `held_` watches (agents' sessions), tokens,
 * resources, versions.
 */
export function heldFor(from: string): string {
  return `
    held_watches as materialized (
      select id, sessions.tenant, sessions.jkt, sessions.standing, sessions.heard_at
      from (select distinct session as id from ${from} where session is not null) as wanted
      join sessions using (id)
      order by id for no key update of sessions
    ),
    held_tokens as materialized (
      select jti, tokens.tenant, tokens.form, tokens.expires_at, tokens.revoked_at, tokens.session,
        tokens.jkt
      from (select distinct jti from ${from}) as wanted
      join tokens using (jti)
      where (select count(*) from held_watches) is not null
      order by jti for no key update of tokens
    ),
    held_resources as materialized (
      select tenant, name as resource, resources.revision,
        resources.counted_minute, resources.counted
      from (select distinct tenant, resource as name from ${from}) as wanted
      join resources using (tenant, name)
      where (select count(*) from held_tokens) is not null
      order by tenant, name for no key update of resources
    ),
    held_versions as materialized (
      select tenant, name as resource, version, resource_versions.revoked_at
      from (select distinct tenant, resource as name, version from ${from}) as wanted
      join resource_versions using (tenant, name, version)
      where (select count(*) from held_resources) is not null
      order by tenant, name, version for share of resource_versions
    )`
}

/**
 * What is asked of them, one row for each of `from`, which has `face`, `at`, `heard_since`, `proof` and `policy_commit` besides.
 *
 * Each proof is looked up by itself, which the limit makes PostgreSQL do: a plan that it made while there were none, and keeps,
 * would read all that were used in the last minutes for every batch. Measured, that was half of what a release cost it.
 */
export function joinedTo(from: string): string {
  return `${from}
    left join held_watches on held_watches.id = ${from}.session
    left join held_tokens on held_tokens.jti = ${from}.jti
    left join held_resources
      on held_resources.tenant = ${from}.tenant and held_resources.resource = ${from}.resource
    left join held_versions
      on held_versions.tenant = ${from}.tenant and held_versions.resource = ${from}.resource
        and held_versions.version = ${from}.version
    left join lateral (
      select id from used_proofs where kind = 'dpop' and id = ${from}.proof limit 1
    ) as used_proofs on true`
}

/**
 * Conditions over `joinedTo`, never null. A proof that is used meanwhile shows when it is inserted.
 */
export const fallen = {
  /** One handshake has one token of the form `broker`, and no other buys a release on that face. */
  token: (from: string) =>
    `not coalesce(held_tokens.tenant = ${from}.tenant
      and (held_tokens.form = 'broker') = (${from}.face = 'key-broker')
      and held_tokens.expires_at > ${from}.at and held_tokens.revoked_at is null, false)`,
  /**
   * The token's own session, and no other that somebody names; and that session's key, since whoever attests alone may name
   * any session.
   */
  session: (from: string) =>
    `(held_tokens.session is distinct from ${from}.session
      or (${from}.session is not null and not coalesce(
        held_watches.tenant = ${from}.tenant and held_watches.jkt = held_tokens.jkt
          and held_watches.standing = 'open' and held_watches.heard_at >= ${from}.heard_since,
        false)))`,
  proof: 'used_proofs.id is not null',
  /**
   * A replica that did not hear of a policy yet gives nothing by the one before. Where the database knows of none, none was ever
   * accepted for this tenant. The row is not held: an acceptance that commits while the statement runs comes after it.
   */
  policy: (from: string) =>
    `exists (
      select from policies
      where policies.tenant = ${from}.tenant and policies.commit <> ${from}.policy_commit)`,
  version: '(held_versions.version is null or held_versions.revoked_at is not null)',
}
