-- Made by drizzle-kit but for "keys" and "appraisals". Token keys go: each form of token has its own now, and what the old
-- ones signed lived for minutes. Records become one document each, and what they have in common moves to "contents".
CREATE TABLE "log_bodies" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "log_bodies_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"kind" text NOT NULL,
	"entry" "bytea" NOT NULL,
	"salt" "bytea" NOT NULL,
	"record" "bytea" NOT NULL,
	"tenant" text,
	"subject" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "log_denials" (
	"index" bigint NOT NULL,
	"position" integer NOT NULL,
	"leaf_hash" "bytea" NOT NULL,
	"body" bigint,
	CONSTRAINT "log_denials_index_position_pk" PRIMARY KEY("index","position")
);
--> statement-breakpoint
CREATE TABLE "log_entries" (
	"index" bigint PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"entry" "bytea" NOT NULL,
	"leaf_hash" "bytea" NOT NULL,
	"body" bigint
);
--> statement-breakpoint
CREATE TABLE "log_head" (
	"id" integer PRIMARY KEY NOT NULL,
	"size" bigint NOT NULL,
	"root" "bytea" NOT NULL,
	"checkpoint" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "log_tiles" (
	"level" integer NOT NULL,
	"index" bigint NOT NULL,
	"hashes" "bytea" NOT NULL,
	CONSTRAINT "log_tiles_level_index_pk" PRIMARY KEY("level","index")
);
--> statement-breakpoint
CREATE TABLE "log_waiting" (
	"leaf_hash" "bytea" PRIMARY KEY NOT NULL,
	"id" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"sequence" bigint PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"kind" text NOT NULL,
	"tenant" text,
	"fields" json NOT NULL
);
--> statement-breakpoint
CREATE TABLE "status_lists" (
	"list" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "status_lists_list_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"issuer" text NOT NULL,
	"capacity" integer NOT NULL,
	"next" integer NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tokens" (
	"jti" text PRIMARY KEY NOT NULL,
	"appraisal" uuid NOT NULL,
	"tenant" text NOT NULL,
	"environment" text NOT NULL,
	"agent" text NOT NULL,
	"form" text NOT NULL,
	"issuer" text NOT NULL,
	"audience" text NOT NULL,
	"scopes" json NOT NULL,
	"jkt" text NOT NULL,
	"subject" text NOT NULL,
	"issued_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"list" integer NOT NULL,
	"index" integer NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"revocation_reason" text,
	"revocation_detail" text,
	"revoked_by" text
);
--> statement-breakpoint
CREATE TABLE "used_proofs" (
	"kind" text NOT NULL,
	"id" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "used_proofs_kind_id_pk" PRIMARY KEY("kind","id")
);
--> statement-breakpoint
CREATE TABLE "contents" (
	"kind" text NOT NULL,
	"digest" text NOT NULL,
	"content" "bytea" NOT NULL,
	"last_used_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "contents_kind_digest_pk" PRIMARY KEY("kind","digest")
);
--> statement-breakpoint
INSERT INTO "contents" ("kind", "digest", "content", "last_used_at")
SELECT 'endorsements', "digest", "parts", "last_used_at" FROM "endorsements";
--> statement-breakpoint
DROP TABLE "endorsements";
--> statement-breakpoint
DELETE FROM "keys" WHERE "purpose" LIKE 'token:%';
--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "active_from" timestamp (3) with time zone;
--> statement-breakpoint
UPDATE "keys" SET "active_from" = "created_at";
--> statement-breakpoint
ALTER TABLE "keys" ALTER COLUMN "active_from" SET NOT NULL;
--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "revoked_at" timestamp (3) with time zone;
--> statement-breakpoint
ALTER TABLE "appraisals" RENAME TO "appraisals_before";
--> statement-breakpoint
ALTER INDEX "appraisals_tenant_at_id_index" RENAME TO "appraisals_before_index";
--> statement-breakpoint
CREATE TABLE "appraisals" (
	"id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"tenant" text NOT NULL,
	"environment" text NOT NULL,
	"agent" text NOT NULL,
	"verdict" text NOT NULL,
	"record" json NOT NULL,
	"quote" "bytea" NOT NULL,
	"findings_digest" text NOT NULL,
	"auxblob_digest" text,
	"event_log_digest" text,
	"endorsements_digest" text NOT NULL,
	"leaf_hash" "bytea" NOT NULL,
	CONSTRAINT "appraisals_id_at_pk" PRIMARY KEY("id","at")
) PARTITION BY RANGE ("at");
--> statement-breakpoint
ALTER TABLE "appraisals" ALTER COLUMN "quote" SET STORAGE EXTERNAL;
--> statement-breakpoint
CREATE INDEX "appraisals_tenant_at_id_index" ON "appraisals" USING btree ("tenant","at","id");
--> statement-breakpoint
CREATE TABLE "appraisals_default" PARTITION OF "appraisals" DEFAULT WITH (toast_tuple_target = 8160);
--> statement-breakpoint
INSERT INTO "contents" ("kind", "digest", "content", "last_used_at")
SELECT DISTINCT ON (2) 'findings', encode(sha256(convert_to("findings"::text, 'UTF8')), 'hex'), convert_to("findings"::text, 'UTF8'), "at"
FROM "appraisals_before" ORDER BY 2, "at" DESC;
--> statement-breakpoint
INSERT INTO "contents" ("kind", "digest", "content", "last_used_at")
SELECT DISTINCT ON (2) 'auxblob', encode(sha256("auxblob"), 'hex'), "auxblob", "at"
FROM "appraisals_before" WHERE "auxblob" IS NOT NULL ORDER BY 2, "at" DESC;
--> statement-breakpoint
INSERT INTO "contents" ("kind", "digest", "content", "last_used_at")
SELECT DISTINCT ON (2) 'event-log', encode(sha256("event_log"), 'hex'), "event_log", "at"
FROM "appraisals_before" WHERE "event_log" IS NOT NULL ORDER BY 2, "at" DESC;
--> statement-breakpoint
INSERT INTO "appraisals"
SELECT "id", "at", "tenant", "environment", "agent", "verdict",
	json_build_object(
		'requestId', "request_id",
		'audiences', CASE WHEN "audience" IS NULL THEN json_build_array() ELSE json_build_array("audience") END,
		'tee', "tee",
		'status', "status",
		'trustVector', "trust_vector",
		'policyCommit', "policy_commit",
		'policyDigest', "policy_digest",
		'manifest', "manifest",
		'manifestProvenance', CASE WHEN "manifest_commit" IS NULL THEN NULL
			ELSE json_build_object('commit', "manifest_commit", 'principal', "manifest_principal") END,
		'referenceValue', CASE WHEN "reference_value" IS NULL OR "reference_line" IS NULL THEN NULL
			ELSE json_build_object('id', "reference_value", 'line', "reference_line", 'isMatched', coalesce("reference_matched", false)) END,
		'layers', "layers",
		'runtimeClaims', "runtime_claims",
		'tokens', json_build_array()
	),
	"quote",
	encode(sha256(convert_to("findings"::text, 'UTF8')), 'hex'),
	encode(sha256("auxblob"), 'hex'),
	encode(sha256("event_log"), 'hex'),
	"endorsements_digest",
	''::bytea
FROM "appraisals_before";
--> statement-breakpoint
DROP TABLE "appraisals_before";
--> statement-breakpoint
CREATE INDEX "log_denials_leaf_hash_index" ON "log_denials" USING btree ("leaf_hash");
--> statement-breakpoint
CREATE INDEX "log_entries_leaf_hash_index" ON "log_entries" USING btree ("leaf_hash");
--> statement-breakpoint
CREATE INDEX "events_at_index" ON "events" USING btree ("at");
--> statement-breakpoint
CREATE INDEX "status_lists_issuer_list_index" ON "status_lists" USING btree ("issuer","list");
--> statement-breakpoint
CREATE INDEX "tokens_expires_at_index" ON "tokens" USING btree ("expires_at");
--> statement-breakpoint
CREATE INDEX "tokens_revoked_index" ON "tokens" USING btree ("list","index") WHERE "tokens"."revoked_at" is not null;
--> statement-breakpoint
CREATE INDEX "used_proofs_expires_at_index" ON "used_proofs" USING btree ("expires_at");
--> statement-breakpoint
CREATE INDEX "contents_last_used_at_index" ON "contents" USING btree ("last_used_at");
