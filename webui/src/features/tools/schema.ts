/** The part of JSON Schema that tools describe their inputs with. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  properties?: Record<string, Schema>;
  required?: string[];
}

export interface ToolOffer {
  id: string;
  title: string;
  description: string;
  executor: 'builtin' | 'sandbox' | 'mcp';
  inputs: Schema;
}

export interface ToolLimits {
  timeout_ms?: number;
  cpu_s?: number;
  memory_bytes?: number;
  processes?: number;
  open_files?: number;
  disk_bytes?: number;
  output_bytes?: number;
  concurrency?: number;
  work_folder?: boolean;
}

export interface ToolEntry extends ToolOffer {
  enabled: boolean;
  limits: ToolLimits;
  egress: string[];
  unavailable?: string;
}
