CREATE TABLE "broker_sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"tee" text NOT NULL,
	"version" text NOT NULL,
	"nonce" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"spent_at" timestamp (3) with time zone,
	"attested_at" timestamp (3) with time zone,
	"environment" text,
	"agent" text,
	"appraisal" text,
	"tee_public_key" text,
	"policy_commit" text,
	"attested_until" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "release_approvals" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"resource" text NOT NULL,
	"version" integer NOT NULL,
	"environment" text NOT NULL,
	"agent" text NOT NULL,
	"jkt" text NOT NULL,
	"requested_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"approved_by" json NOT NULL
);
--> statement-breakpoint
CREATE TABLE "releases" (
	"id" uuid PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"tenant" text NOT NULL,
	"environment" text NOT NULL,
	"agent" text NOT NULL,
	"resource" text NOT NULL,
	"version" integer NOT NULL,
	"use" text NOT NULL,
	"jti" text NOT NULL,
	"face" text NOT NULL,
	"jkt" text NOT NULL,
	"policy_commit" text NOT NULL,
	"policy_digest" text NOT NULL,
	"lease_until" timestamp (3) with time zone,
	"leaf_hash" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "resource_versions" (
	"tenant" text NOT NULL,
	"name" text NOT NULL,
	"version" integer NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" text NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"sealed" "bytea" NOT NULL,
	CONSTRAINT "resource_versions_tenant_name_version_pk" PRIMARY KEY("tenant","name","version")
);
--> statement-breakpoint
CREATE TABLE "resources" (
	"tenant" text NOT NULL,
	"name" text NOT NULL,
	"use" text NOT NULL,
	"approvals" integer NOT NULL,
	"lease_seconds" integer NOT NULL,
	"releases_per_minute" integer,
	"broker_path" text,
	"requires_session" boolean NOT NULL,
	"revision" integer NOT NULL,
	"counted_minute" integer DEFAULT 0 NOT NULL,
	"counted" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "resources_tenant_name_pk" PRIMARY KEY("tenant","name")
);
--> statement-breakpoint
CREATE INDEX "broker_sessions_expires_at_index" ON "broker_sessions" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "release_approvals_tenant_requested_at_index" ON "release_approvals" USING btree ("tenant","requested_at");--> statement-breakpoint
CREATE INDEX "release_approvals_expires_at_index" ON "release_approvals" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "releases_at_index" ON "releases" USING btree ("at");--> statement-breakpoint
CREATE UNIQUE INDEX "resources_tenant_broker_path_index" ON "resources" USING btree ("tenant","broker_path");